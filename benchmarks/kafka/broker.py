"""A broker for the run: its own, gone with it, or one that runs already."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.kafka.broker import Broker, cluster, make_nodes


@contextmanager
def broker(folder: Path, running: str) -> Iterator[str]:
    """Yield bootstrap servers: those of ``running``, or of a node started for the block.

    Raises ``MissingError`` where the machine has no Java, or no Maven for the first fetch.
    """
    # It complains of every topic that was made a moment ago; what fails is raised all the same.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if running:
        yield running
        return
    with cluster([Broker(make_nodes(folder / "broker", 1)[0])]) as nodes:
        yield nodes[0].address
