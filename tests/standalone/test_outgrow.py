"""A folder moves to a real broker and another store, whole, however often it is cut short."""

import asyncio
import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from services.common.catalog_topic import open_catalog
from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import FatalError, InvalidError, UnavailableError
from services.common.partitions import partition_of
from services.common.ports import Clock, Outgoing
from services.common.settings import Settings, load
from services.common.sites import site_of
from services.common.topics_made import ensure_topics
from services.demo.journeys import visits
from services.loader.migrate import migrate
from services.sessionizer.effects import Effects
from services.sessionizer.restore import Restored, restore
from services.standalone.folder import Folder, FolderLock
from services.standalone.outgrow.drain import StillClock, drain
from services.standalone.outgrow.progress import Progress
from services.standalone.outgrow.rows import TABLES
from services.standalone.outgrow.run import move
from services.standalone.outgrow.states import UNFINISHED, _changes, check_unused, first_meta
from services.standalone.parts import Parts, open_parts
from tests.support.clock import ManualClock
from tests.support.kafka import PARTITIONS

START_MS = 1_790_000_000_000
MADE_AGAIN = {"migrations", "seals", "imports"}
"""No import goes on behind the folder's lock; one that was cut short is to be made again anyway."""


@contextmanager
def opened(folder: Path, dsn: str, database: str, clock: Clock) -> Iterator[Parts]:
    def fatal(error: BaseException) -> None:
        raise error

    folder.mkdir(exist_ok=True)
    storage = open_storage(dsn, database)
    try:
        settings = load({}, overrides={"data": folder})
        with open_parts(settings, fatal, clock, storage) as parts:
            yield parts
    finally:
        storage.close()


def shop(folder: Path, dsn: str, database: str) -> str:
    """Make an installation that stops in the middle of its day; return its write key."""
    clock = ManualClock(START_MS)
    with opened(folder, dsn, database, clock) as parts:
        first = parts.catalog.first_start()
        assert first is not None
        source = parts.catalog.source("shop")
        assert source is not None
        site = site_of(source, parts.rules("shop").policy)
        for number, steps in enumerate(itertools.islice(visits(3), 60)):
            lines = []
            for step in steps:
                context = Context(
                    site=site, received_ms=clock.now_ms(), new_id=lambda: str(uuid.uuid4())
                )
                event = {"ts_ms": clock.now_ms(), **step.event}
                made = prepare(msgspec.json.encode(event), context)
                assert isinstance(made, Prepared)
                lines.append(Outgoing("shop", made.address, made.line))
            parts.log.append(lines)
            clock.move(60_000)
            # Half of it is folded; the rest, with its links, waits in log and outbox.
            if number == 30:
                parts.engine.catch_up()
            elif number > 30:
                parts.engine.sessionizer.turn()
        assert parts.engine.fold.applied < parts.log.end(), "nothing waits"
        return str(first.write_key)


def held(storage: ClickHouse, table: str) -> list[dict[str, Any]]:
    found = storage.query(f"SELECT * FROM {table} FINAL")
    return sorted(found, key=lambda row: msgspec.json.encode(row, order="sorted"))


def restored(settings: Settings) -> dict[int, Restored]:
    """Restore as an owner does: taking a partition over waits for what was committed last."""

    async def own() -> dict[int, Restored]:
        for number in range(PARTITIONS):
            owner = Effects(settings, number)
            await owner.start()
            await owner.stop()
        return await restore(settings, range(PARTITIONS), lambda *_: None)

    return asyncio.run(own())


class Failing:
    """A sink that stops taking rows after some inserts."""

    def __init__(self, sink: ClickHouse, inserts: int) -> None:
        self.sink = sink
        self.left = inserts

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        if not self.left:
            raise UnavailableError("storage went away")
        self.left -= 1
        self.sink.insert(table, lines, token)


@pytest.fixture
def target(chdb_dsn: str) -> Iterator[ClickHouse]:
    storage = open_storage(chdb_dsn, f"outgrow_{uuid.uuid4().hex[:8]}")
    migrate(storage)
    yield storage
    storage.close()


def test_everything_arrives_also_where_the_move_is_cut_short_again_and_again(
    tmp_path: Path, chdb_dsn: str, target: ClickHouse, kafka_settings: Settings
) -> None:
    database = f"outgrow_{uuid.uuid4().hex[:8]}"
    key = shop(tmp_path / "data", chdb_dsn, database)
    asyncio.run(ensure_topics(kafka_settings))
    mark = tmp_path / "data" / "outgrown.json"
    results: list[dict[str, Any]] = []
    for inserts in (0, 2, 100, 100, 100):
        clock = StillClock()
        with opened(tmp_path / "data", chdb_dsn, database, clock) as parts:
            sink, progress = Failing(target, inserts), Progress(mark, "there")
            if len(results) == 1:  # as if the end of writing keys and states had not been noted
                progress.done.states = progress.done.catalog = False
                progress.done.finished_ms = 0
            with suppress(UnavailableError):
                results.append(move(kafka_settings, parts, clock, sink, progress))
                check_arrived(parts, target, kafka_settings)
    first, again, done = results
    assert first["states"] == again["states"] > 0
    assert first["keys"] == again["keys"] == 2
    assert (again["rows"], done["states"]) == (0, 0)
    catalog = open_catalog(kafka_settings, ManualClock(START_MS))
    try:
        grant = catalog.grant(key)
        assert grant is not None
        assert grant.source.name == "shop"
    finally:
        catalog.close()


def check_arrived(parts: Parts, target: ClickHouse, settings: Settings) -> None:
    for table in TABLES:
        assert held(target, table) == held(parts.storage, table), table
    assert held(target, "sessions"), "nothing was compared"
    assert not parts.states.waiting_forwards()
    assert not parts.states.waiting_rows()
    meta = parts.states.meta()
    assert meta is not None
    found = restored(settings)
    for number, one in found.items():
        assert one.meta is not None
        assert (one.meta.applied, one.meta.partitions) == (-1, PARTITIONS)
        assert one.meta.clock_ms == meta.clock_ms
        assert one.meta.version == meta.version
        assert all(partition_of(key, PARTITIONS) == number for key in one.states)
    together = {key: value for one in found.values() for key, value in one.states.items()}
    assert together == dict(parts.states.items())


def test_the_move_knows_every_table(target: ClickHouse) -> None:
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows >= 0"
    made = {str(row["name"]) for row in target.query(sql)}
    left = {name for name in made - set(TABLES) - MADE_AGAIN if not name.startswith("rollup_")}
    assert left == set(), "carry it along, or say why not"


def test_a_worker_does_not_start_on_half_of_the_states(
    tmp_path: Path, chdb_dsn: str, kafka_settings: Settings
) -> None:
    database = f"outgrow_{uuid.uuid4().hex[:8]}"
    shop(tmp_path / "data", chdb_dsn, database)
    clock = StillClock()
    with opened(tmp_path / "data", chdb_dsn, database, clock) as parts:
        meta = drain(parts, clock)
        assert meta is not None
        some = dict(itertools.islice(parts.states.items(), 3))

    async def write_some() -> None:
        await ensure_topics(kafka_settings)
        effects = Effects(kafka_settings, 0)
        await effects.start()
        await effects.write(_changes(first_meta(meta, UNFINISHED), some))
        await effects.stop()

    asyncio.run(write_some())
    with pytest.raises(FatalError, match="0 partitions"):
        restored(kafka_settings)
    with pytest.raises(InvalidError, match="is not empty"):
        asyncio.run(check_unused(kafka_settings, resumed=False))
    asyncio.run(check_unused(kafka_settings, resumed=True))


def test_a_folder_that_moved_takes_nobody_any_more(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.moving.write_text("{}")
    with pytest.raises(InvalidError, match="has moved to Kafka"):
        FolderLock(folder)
    with FolderLock(folder, moving=True):
        pass


def test_a_move_goes_on_only_to_where_it_began(tmp_path: Path) -> None:
    Progress(tmp_path / "mark", "here").save()
    Progress(tmp_path / "mark", "here")
    with pytest.raises(InvalidError, match="began to move to here"):
        Progress(tmp_path / "mark", "there")


def test_an_empty_folder_moves_too(
    tmp_path: Path, chdb_dsn: str, target: ClickHouse, kafka_settings: Settings
) -> None:
    asyncio.run(ensure_topics(kafka_settings))
    clock = StillClock()
    database = f"outgrow_{uuid.uuid4().hex[:8]}"
    with opened(tmp_path / "data", chdb_dsn, database, clock) as parts:
        parts.catalog.first_start()
        result = move(kafka_settings, parts, clock, target, Progress(tmp_path / "mark", "there"))
    assert (result["rows"], result["states"]) == (0, 0)
    assert all(one.meta is None for one in restored(kafka_settings).values())
