"""Writes ``fixtures/changelog.jsonl``: a changelog and its events, as this version writes them.

Run by hand, ``python -m tests.sessionizer.record``, only when a format gets a new version; keep the
older files, since a new version must go on from what an older one wrote.
"""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from services.common.settings import Settings
from services.common.topics import Name
from tests.sessionizer.street import street, visit
from tests.sessionizer.told import exact
from tests.sessionizer.workers import crew
from tests.support.commands import Commands
from tests.support.kafka import read_all, running, settings_for

TARGET = Path(__file__).parent / "fixtures" / "changelog.jsonl"


class Kept(msgspec.Struct):
    """One record of a topic; key and value as base64."""

    topic: Name
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None


async def record(settings: Settings, folder: Path) -> list[Kept]:
    """Return the changelog and the events of a short journey."""
    async with street(settings) as here:
        with closing(Commands(folder)) as commands, crew(commands, settings, folder) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            for number in range(24):
                await here.send(*visit(number))
                await asyncio.sleep(0.5)
            await exact(settings, here.sent)
            await asyncio.to_thread(worker.stop)
    names: tuple[Name, ...] = ("events", "states")
    return [
        Kept(name, one.offset, one.timestamp, one.key, one.value)
        for name in names
        for one in await read_all(settings, name)
    ]


def main() -> None:
    """Record into the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "kafka") as broker:
            settings = settings_for(broker.address, kafka_partitions=1)
            kept = asyncio.run(record(settings, folder))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(b"\n".join(map(msgspec.json.encode, kept)) + b"\n")
    print(f"{len(kept)} records, {TARGET.stat().st_size} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
