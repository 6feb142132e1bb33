"""Which processes there are, with which settings: what the runner starts, in this order."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.distributed.child import Child

SOURCE = "shop"
LOOK_UP = f"/v1/metrics/live_visitors?source={SOURCE}"
"""What is answered once every partition has a worker that tells: then anybody is found."""
PARTITIONS = "8"
"""Enough to try out; a real installation takes 64, since it cannot be changed later."""


class Ports(NamedTuple):
    """Where each part listens: the defaults of docs/api.md from 8080 on."""

    ingest: int
    metrics_api: int
    sessionizers: tuple[int, ...]
    loader: int
    clickhouse: int

    @classmethod
    def first(cls, port: int, workers: int) -> "Ports":
        """Return the ports from the first: further workers 10 apart, as there may be more parts."""
        workers_at = tuple(port + 2 + 10 * number for number in range(workers))
        return cls(port, port + 1, workers_at, port + 3, port + 43)


class Keys(NamedTuple):
    """The write key and read token of this installation."""

    write: str
    read: str

    @classmethod
    def of(cls, folder: Path) -> "Keys":
        """Return the folder's keys, made at the first start, readable by its owner alone."""
        path = folder / "keys"
        if not path.exists():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as out:
                out.write(f"wk_{secrets.token_hex(24)}\nrt_{secrets.token_hex(24)}\n")
        write, read = path.read_text(encoding="utf-8").split()
        return cls(write, read)


def clickhouse(folder: Path, port: int) -> Child:
    """Return the store to try out, over the embedded engine."""
    command = [
        sys.executable,
        "-m",
        "deploy.clickhouse_local",
        str(folder / "clickhouse"),
        str(port),
    ]
    url = f"http://127.0.0.1:{port}/ping"
    return Child("clickhouse", command, {}, folder / "logs" / "clickhouse.log", url)


def parts(folder: Path, ports: Ports, keys: Keys, shared: Mapping[str, str]) -> list[Child]:
    """Return Waymark's own processes; the loader first, which makes the tables."""
    environ = {
        "WAYMARK_KAFKA_PARTITIONS": os.environ.get("WAYMARK_KAFKA_PARTITIONS", PARTITIONS),
        "WAYMARK_WRITE_KEYS": f"{SOURCE}={keys.write}",
        "WAYMARK_READ_TOKENS": keys.read,
        "WAYMARK_HOST": "127.0.0.1",
        **shared,
    }
    workers = [
        _part(folder, "sessionizer", port, environ, f"sessionizer-{number}")
        for number, port in enumerate(ports.sessionizers, 1)
    ]
    return [
        _part(folder, "loader", ports.loader, environ),
        *workers,
        _part(folder, "metrics-api", ports.metrics_api, environ, ready=LOOK_UP, token=keys.read),
        _part(folder, "ingest", ports.ingest, environ),
    ]


def _part(
    folder: Path,
    command: str,
    port: int,
    environ: Mapping[str, str],
    name: str = "",
    *,
    ready: str = "/readyz",
    token: str = "",
) -> Child:
    name = name or command
    own = {"WAYMARK_PORT": str(port), "WAYMARK_DATA": str(folder / name)}
    waymark = str(Path(sys.executable).with_name("waymark"))
    return Child(
        name,
        [waymark, command],
        {**environ, **own},
        folder / "logs" / f"{name}.log",
        f"http://127.0.0.1:{port}{ready}",
        token=token,
    )
