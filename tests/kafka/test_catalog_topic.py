"""The catalog of a distributed installation: one truth for every part, no trace of an old salt."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.kafka.broker import Broker
from schemas.spans import DAY_MS
from services.common.catalog import FRESH_S, Catalog
from services.common.catalog_rows import Source
from services.common.catalog_topic import TopicStore, open_catalog
from services.common.clock import SystemClock
from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options
from services.common.ports import Clock
from services.common.settings import Settings
from services.common.topics import topic_name, topics
from services.common.topics_made import ensure_topics
from tests.support.clock import ManualClock
from tests.support.kafka import read_all, settings_for
from tests.support.process import eventually

NOON = 20_000 * DAY_MS + DAY_MS // 2


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@contextmanager
def opened(settings: Settings, clock: ManualClock, *, keeper: bool = False) -> Iterator[Catalog]:
    catalog = open_catalog(settings, clock, keeper=keeper)
    try:
        yield catalog
    finally:
        catalog.close()


def test_a_key_made_by_one_part_counts_in_the_others_until_it_is_revoked(
    kafka_settings: Settings, clock: ManualClock
) -> None:
    with opened(kafka_settings, clock) as one, opened(kafka_settings, clock) as two:
        one.put_source(Source(name="shop", currency="EUR"))
        key, secret = one.create_key("shop")
        assert one.grant(secret) is not None
        grant = eventually(lambda: two.grant(secret))
        assert (grant.source.name, grant.source.currency, grant.key.kind) == (
            "shop",
            "EUR",
            "server",
        )
        two.revoke_key(key.id)
        assert two.grant(secret) is None
        eventually(lambda: one.grant(secret) is None, 10 * FRESH_S + 30)
        assert [row.revoked_ms for row in one.write_keys()] == [clock.now_ms()]


def test_whoever_opens_later_finds_all_of_it(kafka_settings: Settings, clock: ManualClock) -> None:
    with opened(kafka_settings, clock) as first:
        for name in ("b", "a", "c"):
            first.put_source(Source(name=name))
        made = [first.create_key(name) for name in ("c", "a")]
        token, shown = first.create_token("a")
        first.revoke_key(made[0][0].id)
        salted = first.sources()
    with opened(kafka_settings, clock) as later:
        assert later.sources() == salted
        assert [row.id for row in later.write_keys()] == [key.id for key, _ in made]
        assert later.grant(made[0][1]) is None
        assert later.grant(made[1][1]) is not None
        found = later.reads(shown)
        assert found is not None
        assert (found.id, found.source) == (token.id, "a")


def test_no_secret_stands_in_the_topic(kafka_settings: Settings, clock: ManualClock) -> None:
    with opened(kafka_settings, clock) as catalog:
        catalog.put_source(Source(name="shop"))
        _, secret = catalog.create_key("shop")
        assert catalog.grant(secret) is not None
    assert secret.encode() not in _stored(kafka_settings)


def _stored(settings: Settings) -> bytes:
    return b"".join(one.value or b"" for one in asyncio.run(read_all(settings, "catalog")))


def test_what_cannot_be_is_refused_as_in_a_file(
    kafka_settings: Settings, clock: ManualClock
) -> None:
    with opened(kafka_settings, clock) as catalog:
        with pytest.raises(InvalidError, match="time zone"):
            catalog.put_source(Source(name="shop", timezone="Europe/Nowhere"))
        with pytest.raises(InvalidError, match="there is no key 'x'"):
            catalog.revoke_key("x")
        with pytest.raises(InvalidError, match="does not exist"):
            catalog.create_key("nobody")


def test_keys_of_the_settings_count_without_being_stored(
    kafka_settings: Settings, clock: ManualClock
) -> None:
    settings = kafka_settings.model_copy(update={"write_keys": ("shop=k1",)})
    with opened(settings, clock) as catalog:
        assert catalog.grant("k1") is not None
        assert catalog.write_keys() == []
        assert [source.name for source in catalog.sources()] == ["shop"]


def test_parts_that_start_together_agree_on_pepper_and_salts(
    kafka_settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as closing:
        made: list[Catalog] = []

        def start() -> None:
            made.append(closing.enter_context(opened(kafka_settings, clock, keeper=True)))

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 8
        salts = [eventually(lambda one=one: _salts(one, clock)) for one in made]
        assert len(set(salts)) == 1
        assert len({one._file.digest("x") for one in made}) == 1
    gc.collect()
    assert "never retrieved" not in caplog.text


def _salts(catalog: Catalog, clock: ManualClock) -> bytes | None:
    try:
        return catalog.salts(clock.now_ms()).today
    except UnavailableError:
        return None


def test_tomorrows_salt_is_there_before_midnight_and_yesterdays_goes_a_day_later(
    kafka_settings: Settings, clock: ManualClock
) -> None:
    store = TopicStore(kafka_settings, clock, keeper=True)
    store.open()
    try:
        day = NOON // DAY_MS
        eventually(lambda: day in store._salts())
        first = store.salts(day)
        assert list(first) == [day]
        clock.move(DAY_MS // 2 - 60_000)
        eventually(lambda: day + 1 in store._salts())
        clock.move(60_000)
        both = store.salts(day + 1)
        assert both == first | {day + 1: both[day + 1]}
        clock.move(DAY_MS)
        eventually(lambda: day not in store._salts())
        eventually(lambda: sorted(store._salts()) == [day + 1, day + 2])
    finally:
        store.close()


def test_a_keeper_whose_clock_is_days_ahead_destroys_no_salt_that_is_needed(
    kafka_settings: Settings,
) -> None:
    right = SystemClock()
    wrong = ManualClock(right.now_ms() + 3 * DAY_MS)
    with store_of(kafka_settings, right) as one:
        today = right.now_ms() // DAY_MS
        salt = eventually(lambda: one._salts().get(today))
        with store_of(kafka_settings, wrong) as other:
            eventually(lambda: wrong.now_ms() // DAY_MS in other._salts())
            # It asks for the brokers' time, and does its chores with the answer.
            eventually(lambda: other._last[0] == "beat")
            other.mark("later")
            assert other._salts()[today] == one._salts()[today] == salt


def test_an_old_salt_goes_by_the_clocks_of_keeper_and_brokers(kafka_settings: Settings) -> None:
    right = SystemClock()
    today = right.now_ms() // DAY_MS
    with store_of(kafka_settings, ManualClock((today - 3) * DAY_MS)) as old:
        eventually(lambda: today - 3 in old._salts())
    with store_of(kafka_settings, right) as keeper:
        eventually(lambda: today in keeper._salts() and today - 3 not in keeper._salts())


@contextmanager
def store_of(settings: Settings, clock: Clock) -> Iterator[TopicStore]:
    store = TopicStore(settings, clock, keeper=True)
    store.open()
    try:
        yield store
    finally:
        store.close()


def test_without_a_keeper_there_is_no_salt(kafka_settings: Settings, clock: ManualClock) -> None:
    with opened(kafka_settings, clock) as catalog, pytest.raises(UnavailableError, match="salt"):
        catalog.salts(clock.now_ms())


def test_a_destroyed_salt_leaves_the_brokers_disk(victim: Broker, clock: ManualClock) -> None:
    settings = settings_for(victim.address)
    asyncio.run(_small_segments(settings))
    store = TopicStore(settings, clock, keeper=True, roll_ms=1_000)
    store.open()
    try:
        day = NOON // DAY_MS
        salt = eventually(lambda: store._salts().get(day))
        assert salt in _on_disk(victim.node.data, settings)
        clock.move(2 * DAY_MS)
        eventually(lambda: day not in store._salts())
        # The manual clock stands days before the broker's: the beats need it in step.
        clock.move(_broker_ms(store) - clock.now_ms())
        eventually(
            lambda: _beaten(store, clock) and salt not in _on_disk(victim.node.data, settings),
            60,
        )
    finally:
        store.close()


async def _small_segments(settings: Settings) -> None:
    wanted = topics(settings)["catalog"]
    configs = wanted.configs() | {
        "segment.ms": "1000",
        "max.compaction.lag.ms": "1000",
        "file.delete.delay.ms": "100",
        "delete.retention.ms": "100",
    }
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    await admin.create_topics([NewTopic(wanted.name, 1, 1, topic_configs=configs)])
    await admin.close()
    await ensure_topics(settings, ["catalog"])


def _broker_ms(store: TopicStore) -> int:
    return store._last[1]


def _beaten(store: TopicStore, clock: ManualClock) -> bool:
    clock.move(100)
    return store._last[0] == "beat"


def _on_disk(data: Path, settings: Settings) -> bytes:
    folder = data / "log" / f"{topic_name(settings, 'catalog')}-0"
    found = b""
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # the broker works in it meanwhile
            found += file.read_bytes()
    return found
