"""Our own parts, each started as a process of its own on a free port, and asked over HTTP.

    python -m benchmarks.kafka.parts NAME

runs one part's composition root on the settings of its environment, as ``waymark NAME`` does.
"""

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.kafka.bench import Bench
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.process import FailedError, Process, pinned, running
from deploy.kafka.broker import free_ports
from services.common.settings import load

KEY, TOKEN = "benchmark-key", "benchmark-token"
READY_SECONDS = 90.0


class Part:
    """A running part: its process and its address."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5.0)

    def get(self, path: str) -> httpx.Response:
        """Ask it; whoever has no answer is answered for with 599."""
        try:
            return self._client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        except httpx.TransportError:
            return httpx.Response(599)

    def wait_ready(self, seconds: float = READY_SECONDS, path: str = "/readyz") -> None:
        """Wait until it says that it is ready; raises ``FailedError`` where it never does."""
        until = time.monotonic() + seconds
        while (answer := self.get(path)).status_code != httpx.codes.OK:
            if not self.process.alive():
                self.process.next(1.0)  # raises, with its last words
            if time.monotonic() > until:
                raise FailedError(f"not ready after {seconds:.0f} s: {answer.text[:200]}")
            time.sleep(0.05)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 where it has none yet."""
        return sum(self._values(name))

    def count(self, name: str) -> int:
        """Return for how many labels a metric has a value."""
        return len(self._values(name))

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Return a metric's value by one of its labels."""
        return {one.labels[label]: one.value for one in self._samples(name)}

    def _values(self, name: str) -> list[float]:
        return [one.value for one in self._samples(name)]

    def _samples(self, name: str) -> list[Any]:
        families = text_string_to_metric_families(self.get("/metrics").text)
        return [one for each in families for one in each.samples if one.name == name]


def needs(*names: str) -> None:
    """Raise ``NeedsError`` where a part is not built."""
    for name in names:
        if importlib.util.find_spec(f"services.{name}.run") is None:
            raise NeedsError(f"not built: services/{name}/run.py")


@contextmanager
def part(
    bench: Bench, name: str, prefix: str, *, core: int | None = None, label: str = "", **more: str
) -> Iterator[Part]:
    """Run a part on the topics of a prefix, with a data folder of its own; end it afterwards."""
    needs(name)
    port = free_ports(1)[0]
    own = f"{prefix}-{name}{label}"
    settings = {
        "KAFKA": bench.bootstrap,
        "KAFKA_PREFIX": prefix,
        "KAFKA_PARTITIONS": str(bench.partitions),
        "DATA": str(bench.folder / own),
        "PORT": str(port),
        "WRITE_KEYS": f"shop={KEY}",
        "READ_TOKENS": TOKEN,
    }
    given = {f"WAYMARK_{key}": value for key, value in (settings | more).items()}
    command = [sys.executable, "-m", "benchmarks.kafka.parts", name]
    if core is not None:
        command = pinned(core, command)
    log = bench.folder / f"{own}.log"
    with running(command, log, env={**os.environ, **given}) as process:
        yield Part(process, port)


def main() -> None:
    """Run the part that is named."""
    run: Any = importlib.import_module(f"services.{sys.argv[1]}.run").run
    os._exit(run(load()))


if __name__ == "__main__":
    main()
