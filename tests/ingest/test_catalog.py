import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.spans import DAY_MS
from services.common.catalog import FRESH_S, Catalog
from services.common.catalog_file import CatalogFile
from services.common.catalog_rows import FirstStart, Source
from services.common.errors import InvalidError, UnavailableError
from services.common.policy_file import parse_policy
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(20_000 * DAY_MS + 5)


@pytest.fixture
def catalog(tmp_path: Path, clock: ManualClock) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "catalog.db", clock)
    made.put_source(Source(name="shop"))
    yield made
    made.close()


def test_first_start_makes_a_source_a_key_and_a_token_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    path = tmp_path / "catalog.db"
    catalog = Catalog(path, clock)
    first = catalog.first_start()
    assert isinstance(first, FirstStart)
    assert first.source == "shop"
    assert first.write_key is not None
    assert first.read_token is not None
    grant = catalog.grant(first.write_key.encode())
    assert grant is not None
    assert (grant.source.name, grant.key.kind, grant.provisional) == ("shop", "server", False)
    token = catalog.reads(first.read_token.encode())
    assert token is not None
    assert token.source is None
    catalog.close()

    again = Catalog(path, clock)
    assert again.first_start() is None
    assert again.grant(first.write_key.encode()) is not None
    again.close()


def test_no_secret_stands_in_the_file(tmp_path: Path, clock: ManualClock) -> None:
    catalog = Catalog(tmp_path / "catalog.db", clock)
    first = catalog.first_start()
    assert first is not None
    catalog.close()
    assert first.write_key is not None
    assert first.read_token is not None
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert first.write_key.encode() not in stored
    assert first.read_token.encode() not in stored


def test_the_file_is_readable_by_its_owner_alone(catalog: Catalog, tmp_path: Path) -> None:
    assert (tmp_path / "catalog.db").stat().st_mode & 0o077 == 0


def test_keys_of_the_settings_count_beside_stored_ones(tmp_path: Path, clock: ManualClock) -> None:
    catalog = Catalog(tmp_path / "c.db", clock, ["a=k1", "b=k2=x"], ["all", "one:a"])
    granted = [catalog.grant(secret) for secret in (b"k1", b"k2=x")]
    assert [grant and grant.source.name for grant in granted] == ["a", "b"]
    tokens = [catalog.reads(secret) for secret in (b"all", b"one")]
    assert [token and token.source for token in tokens] == [None, "a"]
    first = catalog.first_start()
    assert first == FirstStart("a", None, None)
    assert [source.name for source in catalog.sources()] == ["a", "b"]
    assert catalog.write_keys() == []
    catalog.close()


def test_an_unknown_or_revoked_secret_grants_nothing(catalog: Catalog, clock: ManualClock) -> None:
    key, secret = catalog.create_key("shop")
    token, read = catalog.create_token("shop")
    assert catalog.grant(secret.encode()) is not None
    assert catalog.reads(secret.encode()) is None
    assert catalog.grant(read.encode()) is None
    catalog.revoke_key(key.id)
    catalog.revoke_token(token.id)
    assert catalog.grant(secret.encode()) is None
    assert catalog.reads(read.encode()) is None
    assert [found.revoked_ms for found in catalog.write_keys()] == [clock.now_ms()]
    assert [found.revoked_ms for found in catalog.read_tokens()] == [clock.now_ms()]


def test_another_process_revokes_a_key_and_it_is_useless_soon(
    catalog: Catalog, tmp_path: Path, clock: ManualClock
) -> None:
    key, secret = catalog.create_key("shop")
    other = Catalog(tmp_path / "catalog.db", clock)
    other.revoke_key(key.id)
    other.close()
    wait_for(lambda: catalog.grant(secret.encode()) is None)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20 * FRESH_S
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(FRESH_S / 4)


def test_browser_orders_are_provisional_once_a_server_key_has_sent_orders(catalog: Catalog) -> None:
    _, secret = catalog.create_key("shop", "browser", ["https://Shop.example"])
    before = catalog.grant(secret.encode())
    assert before is not None
    assert not before.provisional
    catalog.note_server_order("shop")
    after = catalog.grant(secret.encode())
    assert after is not None
    assert after.provisional


def test_origins_are_those_of_keys_that_are_not_revoked(catalog: Catalog) -> None:
    key, _ = catalog.create_key("shop", "browser", ["https://Shop.example"])
    assert catalog.allows_origin("https://shop.example")
    assert not catalog.allows_origin("https://evil.example")
    catalog.revoke_key(key.id)
    assert not catalog.allows_origin("https://shop.example")


def test_a_test_key_writes_into_a_source_of_its_own_with_short_times(catalog: Catalog) -> None:
    _, secret = catalog.create_key("shop", "test")
    grant = catalog.grant(secret.encode())
    assert grant is not None
    assert grant.test
    assert grant.source.name == "shop-test"
    assert grant.source.test
    assert grant.source.policy is not None
    assert parse_policy(grant.source.policy, "of the test source").session.gap_ms == 30_000
    again = catalog.create_key("shop", "test")[0]
    assert again.source == "shop-test"
    shop = catalog.source("shop")
    assert shop is not None
    assert not shop.test


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": ""}, "source name ''"),
        ({"name": "a\x1fb"}, "source name"),
        ({"timezone": "Mars/Olympus"}, "time zone 'Mars/Olympus'"),
        ({"currency": "euro"}, "currency 'euro'"),
        ({"currency": "ABC"}, "currency 'ABC' of source x is no ISO 4217 code"),
    ],
)
def test_a_source_that_cannot_be_is_refused_by_name(
    catalog: Catalog, change: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidError, match=named):
        catalog.put_source(msgspec.structs.replace(Source(name="x"), **change))


def test_what_is_asked_of_a_key_that_cannot_be_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidError, match="'nowhere' does not exist; there are: shop"):
        catalog.create_key("nowhere")
    with pytest.raises(InvalidError, match="name its origins"):
        catalog.create_key("shop", "browser")
    with pytest.raises(InvalidError, match="has no origins"):
        catalog.create_key("shop", "server", ["https://a.example"])
    with pytest.raises(InvalidError, match=r"https://a\.example/path"):
        catalog.create_key("shop", "browser", ["https://a.example/path"])
    with pytest.raises(InvalidError, match="no key 'abc'"):
        catalog.revoke_key("abc")


def test_salts_change_daily_and_only_yesterdays_is_kept(
    catalog: Catalog, clock: ManualClock, tmp_path: Path
) -> None:
    first = catalog.salts(clock.now_ms())
    assert first.yesterday is None
    assert catalog.salts(clock.now_ms() + 1) == first
    second = catalog.salts(clock.now_ms() + DAY_MS)
    assert second.yesterday == first.today
    assert second.today != first.today
    third = catalog.salts(clock.now_ms() + 2 * DAY_MS)
    assert third.yesterday == second.today
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert first.today not in stored
    assert third.today in stored


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(InvalidError, match="cannot be used"):
        Catalog(path, clock)
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InvalidError, match="version 99, newer than 1"):
        Catalog(newer, clock)
    with pytest.raises(UnavailableError, match="cannot be opened"):
        Catalog(tmp_path / "no" / "such" / "folder.db", clock)


def test_a_write_that_fails_is_unavailable_and_changes_nothing(
    catalog: Catalog, tmp_path: Path
) -> None:
    locker = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    assert isinstance(catalog._file, CatalogFile)
    catalog._file._db.execute("PRAGMA busy_timeout=10")
    with pytest.raises(UnavailableError, match="cannot be written"):
        catalog.create_key("shop")
    locker.execute("ROLLBACK")
    locker.close()
    assert catalog.write_keys() == []
    assert catalog.create_key("shop")[0].source == "shop"
