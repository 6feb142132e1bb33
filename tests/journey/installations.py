"""Waymark in its two shapes: one process, and Kafka, Faust, loader, ClickHouse and metrics API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from services.common.settings import Settings
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.commands import Commands
from tests.support.process import Part

POLICY = """
[session]
gap_ms = 60_000
[cart]
idle_ms = 40_000
checkout_idle_ms = 30_000
[time]
grace_ms = 5_000
stall_ms = 600_000
lag_hold_max_ms = 8_000
"""
"""Shoppers of half an hour ago are judged some seconds after they were reported.

The grace is longer than an order takes to the visitors it is linked to, on a busy machine too.
"""
SOURCES = {
    "shop": ("--currency", "EUR", "--timezone", "Europe/Madrid"),
    "outlet": ("--currency", "JPY", "--timezone", "Asia/Tokyo"),
    "desk": ("--currency", "EUR"),
}
"""``shop`` and ``outlet`` are sent the same file in both shapes, all else goes to ``desk``."""


class Installation:
    """What a storefront and a reader meet, whatever is behind it; ``parts`` in order of start."""

    def __init__(self, name: str, commands: Commands, parts: list[Part]) -> None:
        self.name = name
        self.parts = parts
        self.ingest, self.reads = parts[-1], parts[-2 if len(parts) > 1 else -1]
        self.keys: dict[str, str] = {}
        self._commands = commands
        self._http = httpx.Client(timeout=60)

    def part(self, command: str) -> Part:
        return next(one for one in self.parts if one.command == command)

    def command(self, *arguments: object) -> Any:
        """Run ``waymark`` with this installation's settings and return what it says."""
        environ = {k: v for k, v in self.ingest.environ.items() if k != "WAYMARK_PORT"}
        done = self._commands.run(*arguments, "--json", **environ)
        assert done.status == 0, done.err
        return done.json()

    def launch(self) -> None:
        for part in self.parts:
            part.launch()

    def open(self) -> None:
        """Wait until all parts are ready; make the sources and their keys."""
        for part in self.parts:
            part.wait_ready()
        for source, options in SOURCES.items():
            self.command("sources", "set", source, *options)
            self.keys[source] = self.command("keys", "create", source)["secret"]

    def close(self) -> None:
        for part in reversed(self.parts):
            part.close()
        self._http.close()

    # -- over HTTP

    def post(self, source: str, events: Any, **parameters: Any) -> dict[str, Any]:
        answer = self._http.post(
            f"{self.ingest.url}/v1/events",
            json=events,
            params=parameters,
            headers={"Authorization": f"Bearer {self.keys[source]}"},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ask(self, path: str, **parameters: Any) -> httpx.Response:
        return self._http.get(self.reads.url + path, params=parameters)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.ask(path, **parameters)
        assert answer.status_code == 200, (self.name, path, parameters, answer.text)
        return answer.json()

    def rows(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page."""
        more: dict[str, str] = {}
        while True:
            page = self.get(path, **{"limit": 1_000, **parameters, **more})
            yield from page["rows"]
            if page["next"] is None:
                return
            more = {"cursor": page["next"]}

    def live(self, source: str, visitor: str) -> dict[str, Any] | None:
        answer = self.ask(f"/v1/visitors/{visitor}", source=source)
        return dict(answer.json()) if answer.status_code == 200 else None


def standalone(commands: Commands, folder: Path) -> Installation:
    policy = _policy(folder)
    environ = {"WAYMARK_DATA": folder / "standalone", "WAYMARK_POLICY": policy}
    return Installation("standalone", commands, [Part(commands, "run", environ)])


def distributed(
    commands: Commands, folder: Path, kafka: Settings, clickhouse: ClickHouseProcess
) -> Installation:
    shared = {
        "WAYMARK_KAFKA": kafka.kafka,
        "WAYMARK_KAFKA_PREFIX": kafka.kafka_prefix,
        "WAYMARK_KAFKA_PARTITIONS": kafka.kafka_partitions,
        "WAYMARK_CLICKHOUSE": f"{clickhouse.url}/journey",
        "WAYMARK_POLICY": _policy(folder),
    }
    return Installation(
        "distributed",
        commands,
        [
            Part(commands, name, shared | {"WAYMARK_DATA": folder / name})
            for name in ("loader", "sessionizer", "metrics-api", "ingest")
        ],
    )


def _policy(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text(POLICY)
    return path


def plain(value: Any) -> str:
    """Return a value as text that equals that of an equal value."""
    return json.dumps(value, sort_keys=True)
