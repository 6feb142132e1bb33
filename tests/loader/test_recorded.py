"""Rows as each earlier version's workers wrote them: this version's loader takes them all."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.common.settings import Settings
from tests.sessionizer.record import FOLDER, Kept
from tests.support.loading import fill, loading, until_loaded

TOLD = {
    "sessions": ("session_id", "visitor_id", "page_views", "closed_ms"),
    "carts": ("cart_id", "visitor_id", "outcome", "value"),
    "orders": ("order_id", "visitor_id", "cart_id", "value"),
    "signals": ("signal_id", "kind", "visitor_id", "at_ms"),
}
"""What is held against storage of each kind of row; the first is what it is known by."""


def recorded(path: Path) -> dict[str, list[bytes]]:
    """Return the rows of a record by topic; the first version recorded has none."""
    found: dict[str, list[bytes]] = {}
    for line in path.read_bytes().splitlines():
        one = msgspec.json.decode(line, type=Kept)
        if one.topic in TOLD and one.value:
            found.setdefault(one.topic, []).append(one.value)
    return found


def newest(lines: list[bytes], fields: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return what the newest version of each row says."""
    rows: list[dict[str, Any]] = sorted(map(msgspec.json.decode, lines), key=_version)
    last = {row[fields[0]]: row for row in rows}
    return {tuple(str(row[name]) for name in fields) for row in last.values()}


def _version(row: dict[str, Any]) -> int:
    return int(row["version"])


PATHS = [path for path in sorted(FOLDER.glob("states-*.jsonl")) if recorded(path)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_what_a_version_told_is_in_storage(settings: Settings, path: Path) -> None:
    lines = recorded(path)
    assert lines.keys() == TOLD.keys()
    records = await fill(settings, lines)
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        for table, fields in TOLD.items():
            rows = warehouse.storage().query(f"SELECT {', '.join(fields)} FROM {table} FINAL")
            stored = {tuple(str(row[name]) for name in fields) for row in rows}
            assert stored == newest(lines[table], fields), table
