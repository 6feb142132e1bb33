"""Topics into tables: nothing lost, and nothing that a repeat would double."""

import asyncio

import msgspec
import pytest

from services.common.clickhouse import open_storage
from services.common.errors import InvalidError
from services.common.kafka import loader_group
from services.common.settings import Settings, load
from services.common.topics_made import ensure_topics
from services.loader.migrate import migrate, migrations
from services.loader.part import open_consumer
from services.loader.topics import tables_by_topic
from services.loader.warehouse import Warehouse, migrate_server
from tests.metrics.shop import generate
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.clock import ManualClock
from tests.support.kafka import settings_for
from tests.support.loading import answers, counted, fill, lines_of, loading, until, until_loaded

SHOP = generate(seed=11, visits=60)


def expected(settings: Settings) -> dict[str, object]:
    """Return the answers over rows that were inserted once, without any loader."""
    plain = open_storage(settings.clickhouse, f"{settings.kafka_prefix}_plain")
    migrate(plain)
    SHOP.insert(plain)
    found = answers(plain)
    plain.close()
    return found


async def test_rows_arrive_once_and_topics_read_again_change_no_answer(settings: Settings) -> None:
    records = await fill(settings, lines_of(SHOP))
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        wanted = await asyncio.to_thread(expected, settings)
        assert answers(warehouse.storage()) == wanted
    again = settings.model_copy(update={"kafka_group": f"{settings.kafka_group}-again"})
    async with loading(again) as (loader, warehouse):
        await until_loaded(loader, records)
        assert answers(warehouse.storage()) == wanted


async def test_two_installations_in_one_cluster_load_apart(
    settings: Settings, kafka: str, server: ClickHouseProcess
) -> None:
    """Their prefix alone tells them apart: a group of both would move for the other's loaders."""
    other = settings_for(kafka, clickhouse=f"{server.url}/{settings.kafka_prefix}_other")
    assert loader_group(settings) != loader_group(other)
    made = generate(seed=31, visits=6), generate(seed=32, visits=9)
    records = [await fill(settings, lines_of(made[0])), await fill(other, lines_of(made[1]))]
    async with loading(settings) as (first, here), loading(other) as (second, there):
        await until_loaded(first, records[0])
        await until_loaded(second, records[1])
        assert counted(here.storage(), "sessions") == len(made[0].sessions)
        assert counted(there.storage(), "sessions") == len(made[1].sessions)


async def test_a_restarted_loader_goes_on_after_what_it_committed(settings: Settings) -> None:
    records = await fill(settings, lines_of(SHOP))
    async with loading(settings) as (loader, _):
        await until_loaded(loader, records)
    more = generate(seed=12, visits=5)
    fresh = await fill(settings, lines_of(more))
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, fresh)
        assert loader.loaded == fresh, "nothing is read twice after an orderly stop"
        assert counted(warehouse.storage(), "sessions") == len(SHOP.sessions) + len(more.sessions)


async def test_duplicates_and_repeats_in_other_batches_count_once(settings: Settings) -> None:
    lines = lines_of(SHOP)
    records = await fill(settings, lines)
    records += await fill(settings, {table: some[::-1] for table, some in lines.items()})
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        wanted = await asyncio.to_thread(expected, settings)
        assert answers(warehouse.storage()) == wanted


async def test_bad_rows_become_dead_letters_and_hold_nothing_up(settings: Settings) -> None:
    good = lines_of(SHOP)["sessions"]
    bad = [b"no json", b'{"session_id":"no uuid","source":"shop"}', b"\xff\xfe", b""]
    records = await fill(settings, {"sessions": [*good[:5], *bad, *good[5:]], "events": [b"x"]})
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        storage = warehouse.storage()
        assert counted(storage, "sessions") == len(good)
        letters = storage.query("SELECT code, original, base64 FROM dead_letters FINAL")
    assert {row["code"] for row in letters} == {"storage_refused"}
    assert sorted(row["base64"] for row in letters) == [False, False, True]


async def test_ticks_and_links_leave_no_row(settings: Settings) -> None:
    lines = [
        b'{"type":"__tick"}',
        b'{"type":"__link","source":"shop","visitor_id":"v","to":"cart:c"}',
        msgspec.json.encode(SHOP.events[0]),
    ]
    records = await fill(settings, {"events": lines})
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        assert counted(warehouse.storage(), "events") == 1
        assert loader.clock_ms > 0


async def test_storage_that_is_away_is_awaited_with_the_same_batch(
    settings: Settings, server: ClickHouseProcess
) -> None:
    lines = lines_of(SHOP)
    half = {table: some[::2] for table, some in lines.items()}
    rest = {table: some[1::2] for table, some in lines.items()}
    records = await fill(settings, half)
    async with loading(settings) as (loader, warehouse):
        await until_loaded(loader, records)
        server.kill()
        try:
            records += await fill(settings, rest)
            await until(lambda: loader.trouble)
            assert loader.loaded < records
        finally:
            await asyncio.to_thread(server.start)
        await until_loaded(loader, records)
        assert loader.trouble == ""
        assert counted(warehouse.storage(), "sessions") == len(SHOP.sessions)
        wanted = await asyncio.to_thread(expected, settings)
        assert answers(warehouse.storage()) == wanted


async def test_what_waits_where_another_loader_died_is_read_whole(settings: Settings) -> None:
    await ensure_topics(settings)
    other = open_consumer(settings)
    other.subscribe(list(tables_by_topic(settings)))
    async with loading(settings) as (loader, warehouse):
        await until(lambda: loader.owns(0))
        await other.start()
        try:
            await until(lambda: other.assignment() and not all(map(loader.owns, range(4))))
            records = await fill(settings, lines_of(SHOP))
            await until(lambda: loader.loaded)
            assert loader.loaded < records
        finally:
            await other.stop()  # it has read nothing
        await until_loaded(loader, records)
        assert counted(warehouse.storage(), "sessions") == len(SHOP.sessions)
        assert counted(warehouse.storage(), "events") == len(SHOP.events)


async def test_two_loaders_share_the_work_and_one_does_the_chores(settings: Settings) -> None:
    records = await fill(settings, lines_of(SHOP))
    async with loading(settings) as (one, warehouse), loading(settings) as (two, _):
        await until(lambda: one.owns(0) != two.owns(0))
        await until(lambda: counted(warehouse.storage(), "sessions") == len(SHOP.sessions))
        keeper, other = (one, two) if one.owns(0) else (two, one)
        keeper.stop()
        await until(lambda: other.owns(0))
    assert records


def test_a_loader_without_storage_says_which_setting() -> None:
    with pytest.raises(InvalidError, match="WAYMARK_CLICKHOUSE"):
        Warehouse(load(environ={}), ManualClock())


def test_a_server_is_migrated_by_the_command_s_own_work(
    server: ClickHouseProcess,
) -> None:
    settings = load(environ={}, overrides={"clickhouse": f"{server.url}/by_command"})
    first = migrate_server(settings)
    assert first["applied"] == first["present"] == [one.name for one in migrations()]
    assert migrate_server(settings)["applied"] == []
