"""``make run-distributed``: Kafka, storage and every part on this machine, until Ctrl-C.

WAYMARK_KAFKA and WAYMARK_CLICKHOUSE name servers to use; else a broker (Java 17; Maven for the
first time) and a store over the embedded engine are started, to try things out, not for
production.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deploy.distributed.banner import banner
from deploy.distributed.child import EndedError
from deploy.distributed.kafka import Kafka
from deploy.distributed.parts import PARTITIONS, Keys, Ports, clickhouse, parts
from deploy.distributed.runner import Runner
from deploy.distributed.taken import refuse_taken
from deploy.kafka.libs import MissingError

LAST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    given = _arguments(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        with ExitStack() as running:
            _run(given, running)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    except (EndedError, MissingError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace, running: ExitStack) -> None:
    ports = Ports.first(given.first_port, given.workers)
    given_kafka, given_storage = map(os.environ.get, ("WAYMARK_KAFKA", "WAYMARK_CLICKHOUSE"))
    kafka_port = 0 if given_kafka else given.kafka_port
    refuse_taken(ports if not given_storage else ports._replace(clickhouse=0), kafka_port)
    folder = given.data.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds shoppers' data
    (folder / "logs").mkdir(exist_ok=True)
    keys = Keys.of(folder)
    runner = Runner()
    running.callback(_stop, runner)
    kafka = given_kafka or _kafka(runner, folder, kafka_port)
    storage = given_storage or _storage(runner, folder, ports.clickhouse)
    print("starting Waymark's parts …", flush=True)
    shared = {
        "WAYMARK_KAFKA": kafka,
        "WAYMARK_KAFKA_PARTITIONS": os.environ.get("WAYMARK_KAFKA_PARTITIONS", PARTITIONS),
        "WAYMARK_CLICKHOUSE": storage,
    }
    runner.start(parts(folder, ports, keys, shared))
    print(banner(ports, keys, shared, folder, os.environ), flush=True)
    runner.keep()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.distributed", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("waymark-distributed"),
        help="folder of all that is kept; default: %(default)s",
    )
    parser.add_argument(
        "--first-port", type=int, default=8080, help="of ingest, the others above it"
    )
    parser.add_argument("--kafka-port", type=int, default=9092, help="first of two")
    parser.add_argument("--workers", type=int, default=2, help="sessionizers")
    given = parser.parse_args(arguments)
    ports = Ports.first(given.first_port, given.workers)
    for option, first, last in (
        ("--first-port", given.first_port, max((ports.clickhouse, *ports.sessionizers))),
        ("--kafka-port", given.kafka_port, given.kafka_port + 1),
    ):
        if not 0 < first < last <= LAST_PORT:
            parser.error(f"{option} {first}: ports are 1 to {LAST_PORT}; it takes up to {last}")
    return given


def _kafka(runner: Runner, folder: Path, port: int) -> str:
    print("starting Kafka …", flush=True)
    broker = Kafka(folder / "kafka", port)
    runner.start([broker])
    return broker.address


def _storage(runner: Runner, folder: Path, port: int) -> str:
    print("starting storage to try out …", flush=True)
    runner.start([clickhouse(folder, port)])
    return f"http://127.0.0.1:{port}/waymark"


def _stop(runner: Runner) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # in order, also where someone is impatient
    print("stopping …", flush=True)
    runner.end()


if __name__ == "__main__":
    sys.exit(main())
