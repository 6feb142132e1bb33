"""Durable states, meta and outbox: one suite, run against ``state.db`` and the one in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common.ports import Changes, Outgoing, PartitionMeta
from services.standalone.state_store import SqliteStates
from tests.support.memory import MemoryStates

Store = SqliteStates | MemoryStates


def changes(
    applied: int = 1,
    states: dict[bytes, bytes | None] | None = None,
    rows: dict[str, list[bytes]] | None = None,
    forwards: list[Outgoing] | None = None,
) -> Changes:
    meta = PartitionMeta(applied, 1_000 + applied, 2_000, 7 << 20)
    return Changes(meta, states or {}, rows or {}, forwards or [])


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStates()
        return
    real = SqliteStates(tmp_path / "state.db")
    yield real
    real.close()


def test_a_new_store_knows_nothing(store: Store) -> None:
    assert store.meta() is None
    assert store.get(b"shop\x1fv1") is None
    assert list(store.items()) == []


def test_a_commit_keeps_states_and_meta(store: Store) -> None:
    store.commit(changes(5, {b"shop\x1fv1": b"one", b"shop\x1fv2": b"two"}))
    assert store.meta() == PartitionMeta(5, 1_005, 2_000, 7 << 20)
    assert store.get(b"shop\x1fv1") == b"one"
    assert dict(store.items()) == {b"shop\x1fv1": b"one", b"shop\x1fv2": b"two"}


def test_a_later_commit_replaces_and_removes(store: Store) -> None:
    store.commit(changes(1, {b"a": b"1", b"b": b"1"}))
    store.commit(changes(2, {b"a": b"2", b"b": None, b"never": None}))
    assert dict(store.items()) == {b"a": b"2"}


def test_bytes_of_any_kind_survive(store: Store) -> None:
    key, value = "läden\x1f客\x00".encode(), bytes(range(256))
    store.commit(changes(1, {key: value}))
    assert store.get(key) == value


def test_rows_and_forwards_wait_in_order(store: Store) -> None:
    forward = Outgoing("shop", "cart:9", b'{"type":"__link"}')
    store.commit(changes(1, rows={"sessions": [b'{"a":1}', b'{"a":2}']}, forwards=[forward]))
    store.commit(changes(2, rows={"sessions": [b'{"a":3}'], "carts": [b'{"c":1}']}))
    assert _rows(store, "sessions") == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    assert _rows(store, "carts") == [b'{"c":1}']
    assert (store.forwards(9)[1] if isinstance(store, SqliteStates) else store.forwards) == [
        forward
    ]


def test_what_a_commit_was_given_is_not_shared_with_it(store: Store) -> None:
    states: dict[bytes, bytes | None] = {b"a": b"1"}
    store.commit(changes(1, states))
    states[b"a"] = b"changed"
    assert store.get(b"a") == b"1"


def _rows(store: Store, table: str) -> list[bytes]:
    if isinstance(store, MemoryStates):
        return store.rows[table]
    found = [bundle.body for bundle in store.rows(0, 1_000) if bundle.table == table]
    return b"\n".join(found).split(b"\n")


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], SqliteStates]]:
    opened: list[SqliteStates] = []

    def again() -> SqliteStates:
        if opened:
            opened[-1].close()
        opened.append(SqliteStates(tmp_path / "again.db"))
        return opened[-1]

    yield again
    opened[-1].close()


def test_everything_is_there_after_opening_again(reopen: Callable[[], SqliteStates]) -> None:
    reopen().commit(changes(3, {b"a": b"1"}, {"carts": [b"{}"]}))
    store = reopen()
    assert store.meta() == PartitionMeta(3, 1_003, 2_000, 7 << 20)
    assert store.get(b"a") == b"1"
    assert [bundle.body for bundle in store.rows(0, 9)] == [b"{}"]


def test_an_arrived_row_goes_and_its_number_is_never_used_again(
    reopen: Callable[[], SqliteStates],
) -> None:
    store = reopen()
    store.commit(changes(1, rows={"carts": [b"{}"]}))
    first = store.rows(0, 9)[-1].seq
    store.arrived(first, 17)
    assert store.rows(0, 9) == []
    assert store.loaded() == 17
    store = reopen()
    store.commit(changes(2, rows={"carts": [b"{}"]}))
    assert store.rows(0, 9)[-1].seq > first


def test_a_forwarded_line_goes(reopen: Callable[[], SqliteStates]) -> None:
    store = reopen()
    store.commit(changes(1, forwards=[Outgoing("shop", "v", b"1"), Outgoing("shop", "v", b"2")]))
    seq, items = store.forwards(1)
    assert [item.line for item in items] == [b"1"]
    store.forwarded(seq)
    assert [item.line for item in store.forwards(9)[1]] == [b"2"]
