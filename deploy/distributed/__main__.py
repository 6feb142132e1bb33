"""``make run-distributed``: Kafka, storage and every part on this machine, until Ctrl-C.

WAYMARK_KAFKA and WAYMARK_CLICKHOUSE name servers to use; else a broker (Java 17; Maven for the
first time) and a store over the embedded engine are started, to try things out, not for
production.
"""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from deploy.distributed.child import EndedError
from deploy.distributed.parts import PARTITIONS, SOURCE, Keys, Ports, clickhouse, parts
from deploy.distributed.runner import Runner
from deploy.kafka.broker import Broker, cluster, make_nodes
from deploy.kafka.libs import MissingError

EXAMPLE = '{"type":"page_view","visitor_id":"me","url":"https://shop.example/"}'


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
    folder = given.data.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    keys, ports = Keys.of(folder), Ports.first(given.first_port, given.workers)
    kafka = os.environ.get("WAYMARK_KAFKA") or _kafka(running, folder, given.kafka_port)
    runner = Runner()
    running.callback(_stop, runner)
    storage = os.environ.get("WAYMARK_CLICKHOUSE") or _storage(runner, folder, ports.clickhouse)
    print("starting Waymark's parts …", flush=True)
    shared = {
        "WAYMARK_KAFKA": kafka,
        "WAYMARK_KAFKA_PARTITIONS": os.environ.get("WAYMARK_KAFKA_PARTITIONS", PARTITIONS),
        "WAYMARK_CLICKHOUSE": storage,
    }
    runner.start(parts(folder, ports, keys, shared))
    print(_welcome(ports, keys, shared, folder), flush=True)
    runner.keep()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.distributed", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("waymark-distributed"))
    parser.add_argument("--first-port", type=int, default=8080)
    parser.add_argument("--kafka-port", type=int, default=9092, help="first of two")
    parser.add_argument("--workers", type=int, default=2, help="sessionizers")
    return parser.parse_args(arguments)


def _kafka(running: ExitStack, folder: Path, port: int) -> str:
    print("starting Kafka …", flush=True)
    node = make_nodes(folder / "kafka", 1, port)[0]
    (broker,) = running.enter_context(cluster([Broker(node)]))
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


def _welcome(ports: Ports, keys: Keys, shared: Mapping[str, str], folder: Path) -> str:
    ingest, reads = (f"http://127.0.0.1:{port}" for port in (ports.ingest, ports.metrics_api))
    own = {name: value for name, value in shared.items() if name not in os.environ}
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in own.items())  # no secrets
    workers = " ".join(f"http://127.0.0.1:{port}/metrics" for port in ports.sessionizers)
    return f"""
Waymark is running, every part a process of its own, on {folder}
  events       {ingest}/v1/events  (POST)
  page         {reads}/
  API          {reads}/docs
  workers      {workers}
  loader       http://127.0.0.1:{ports.loader}/metrics
  Kafka        {shared["WAYMARK_KAFKA"]}
  logs         {folder / "logs"}

  write key of source {SOURCE}: {keys.write}
  read token: {keys.read} (reads need none on loopback)

Try it:
  curl -sS {ingest}/v1/events -H 'Authorization: Bearer {keys.write}' \
-H 'Content-Type: application/json' -d '{EXAMPLE}'
  curl -sS '{reads}/v1/visitors/me?source={SOURCE}'
The command line works on it in another shell, for example:
  {settings} .venv/bin/waymark doctor
Stop with Ctrl-C.
"""


if __name__ == "__main__":
    sys.exit(main())
