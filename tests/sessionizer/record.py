"""Writes a file of ``fixtures``: a changelog, its events and its rows, as this version writes them.

Run by hand, ``python -m tests.sessionizer.record``, only when a format gets a new version: files
are named by the version of the states, and one that is there is kept, since every later version
must go on from it.
"""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from services.common.settings import Settings
from services.common.topics import Name
from services.sessionizer.core.codec import VERSION
from tests.sessionizer.street import street, visit
from tests.sessionizer.told import exact
from tests.sessionizer.workers import crew
from tests.support.commands import Commands
from tests.support.kafka import read_all, running, settings_for

FOLDER = Path(__file__).parent / "fixtures"
TOPICS: tuple[Name, ...] = ("events", "states", "sessions", "carts", "orders", "signals")


class Kept(msgspec.Struct):
    """One record of a topic; key and value as base64."""

    topic: Name
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None


async def record(settings: Settings, folder: Path) -> list[Kept]:
    """Return all that is on the topics after a short journey."""
    async with street(settings) as here:
        with closing(Commands(folder)) as commands, crew(commands, settings, folder) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            for number in range(24):
                await here.send(*visit(number))
                await asyncio.sleep(0.5)
            await exact(settings, here.sent)
            await asyncio.to_thread(worker.stop)
    return [
        Kept(name, one.offset, one.timestamp, one.key, one.value)
        for name in TOPICS
        for one in await read_all(settings, name)
    ]


def main() -> None:
    """Record into the file of this version."""
    target = FOLDER / f"states-{VERSION}.jsonl"
    if target.exists():
        raise SystemExit(f"{target} is there already: it is what version {VERSION} was once")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "kafka") as broker:
            settings = settings_for(broker.address, kafka_partitions=1)
            kept = asyncio.run(record(settings, folder))
    target.write_bytes(b"\n".join(map(msgspec.json.encode, kept)) + b"\n")
    print(f"{target.name}: {len(kept)} records, {target.stat().st_size} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
