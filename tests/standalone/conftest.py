"""Fixtures of the standalone product: real processes on folders of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standalone.waymark import SHORT, Waymark
from tests.support.commands import Commands


@pytest.fixture
def short_policy(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return path


@pytest.fixture
def make(commands: Commands, tmp_path: Path) -> Iterator[Callable[..., Waymark]]:
    """Return a maker of processes; what still runs at the end of the test is killed."""
    made: list[Waymark] = []

    def one(name: str = "one", **settings: Any) -> Waymark:
        made.append(Waymark(commands, **{"data": tmp_path / name / "data", **settings}))
        return made[-1]

    yield one
    for waymark in made:
        waymark.close()
