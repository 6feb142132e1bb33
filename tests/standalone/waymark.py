"""``waymark run`` on a data folder: started, asked over HTTP, stopped and killed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import Commands
from tests.support.process import Part

SHORT = """
[session]
gap_ms = 1_500
[cart]
idle_ms = 1_000
checkout_idle_ms = 800
[time]
grace_ms = 300
stall_ms = 600_000
emit_every_ms = 1_000
"""
"""What takes half an hour in a shop shows within seconds; a slow machine's restart is no stall."""


class Waymark(Part):
    """One data folder and the process that runs on it, if one does."""

    def __init__(self, commands: Commands, data: Path, **settings: Any) -> None:
        self.data = data
        given = {"data": data, **settings}
        environ = {f"WAYMARK_{name.upper()}": value for name, value in given.items()}
        super().__init__(commands, "run", environ)

    def key(self) -> str:
        """Return the write key that its first start printed."""
        found = re.search(r"wk_[\w-]+", self.text())
        assert found, self.text()
        return found[0]

    def post(self, events: Any) -> dict[str, Any]:
        answer = self.http.post(
            "/v1/events", json=events, headers={"Authorization": f"Bearer {self.key()}"}
        )
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def ask(self, path: str, **parameters: Any) -> httpx.Response:
        return self.http.get(path, params=parameters)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.ask(path, **parameters)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def rows(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page."""
        more: dict[str, str] = {}
        while True:
            page = self.get(path, limit=1_000, **parameters, **more)
            yield from page["rows"]
            if page["next"] is None:
                return
            more = {"cursor": page["next"]}
