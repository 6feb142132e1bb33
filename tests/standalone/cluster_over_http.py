"""A server that takes a cluster's statements as one engine can: it has neither Keeper nor nodes."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.clickhouse_local.server import Server

_EVERYWHERE = re.compile(r" ON CLUSTER '[^']*'")
_REPLICATED = re.compile(r"ENGINE = Replicated(\w+)\('/[^']*', '[^']*'(?:, )?")


class ClusterServer(Server):
    """Keeps what was asked for; each local table is made under the name of the one over it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.made: list[str] = []

    def run(self, asked: dict[str, str], body: bytes) -> bytes:
        sql = asked.get("query") or body.decode()
        if not sql.startswith("CREATE"):
            return super().run(asked, body)
        self.made.append(sql)
        if "ENGINE = Distributed" in sql:
            return b""
        alone = _REPLICATED.sub(r"ENGINE = \1(", _EVERYWHERE.sub("", sql))
        alone = re.sub(r"EXISTS (\w+)_local", r"EXISTS \1", alone)
        alone = alone.replace(" replicated_dedup", " non_replicated_dedup")
        return super().run(asked | {"query": alone}, b"")


@contextmanager
def cluster_over_http(path: str) -> Iterator[tuple[str, ClusterServer]]:
    """Yield the address of such a server over the engine at a folder, and the server."""
    server = ClusterServer(path)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
