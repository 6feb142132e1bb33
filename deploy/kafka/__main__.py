"""``make kafka`` and ``make cluster``: run one node or three until told to stop."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from deploy.kafka.broker import Broker, cluster, make_nodes
from deploy.kafka.libs import CACHE, MissingError


def main() -> int:
    """Start, print the bootstrap servers, wait for SIGINT or SIGTERM, stop."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka", description=__doc__)
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    parser.add_argument("--port", type=int, default=9092, help="first of 2 ports a node")
    parser.add_argument("--data", type=Path, help="default: .kafka/data-NODES")
    parser.add_argument("--heap", default="1g", help="memory of each node's heap")
    given = parser.parse_args()
    nodes = make_nodes(given.data or CACHE / f"data-{given.nodes}", given.nodes, given.port)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with cluster([Broker(node, nodes, heap=given.heap) for node in nodes]) as brokers:
            addresses = ",".join(broker.address for broker in brokers)
            print(f"Kafka is up: WAYMARK_KAFKA={addresses}", flush=True)
            stop.wait()
    except (MissingError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
