"""Bytewax keeping the small visitor-session state."""

from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main
from visit import Marks, Visit, arguments, fold


class Nowhere(StatelessSinkPartition):
    """Keeps nothing of what comes out."""

    def write_batch(self, items: list) -> None:
        """Take the states."""


class Nothing(DynamicSink):
    """The end of the flow, which Bytewax asks for."""

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> Nowhere:
        """Return the end of the only worker."""
        return Nowhere()


def main() -> None:
    """Run to the end of the topic."""
    asked = arguments()
    marks = Marks(asked.warm)

    def step(visit: Visit | None, event: dict) -> tuple[Visit, int]:
        visit = fold(visit, event)
        marks.count(visit)
        return visit, visit["stage"]

    Path(asked.data).mkdir(parents=True)
    init_db_dir(Path(asked.data), 1)
    flow = Dataflow("visits")
    config = {"fetch.queue.backoff.ms": "5", "group.id": f"bytewax-{asked.topic}"}
    source = KafkaSource(
        [asked.bootstrap], [asked.topic], tail=False, batch_size=1000, add_config=config
    )
    records = op.input("in", flow, source)
    keyed = op.map("decode", records, lambda at: (at.key.decode(), orjson.loads(at.value)))
    op.output("out", op.stateful_map("visit", keyed, step), Nothing())
    cluster_main(
        flow,
        [],
        0,
        epoch_interval=timedelta(seconds=int(asked.variant or 10)),
        recovery_config=RecoveryConfig(asked.data),
    )
    marks.tell()


if __name__ == "__main__":
    main()
