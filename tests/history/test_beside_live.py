"""A rebuild beside live traffic: whatever moves between its readings, rows are the fold's own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from services.common.clickhouse import ClickHouse
from services.common.ports import Outgoing, Storage, nothing
from services.common.sites import site_of
from services.history.beside import Watch
from services.history.rebuild import HELD_EVENTS, TABLES, Summary, rebuild
from services.standalone.admin.beside import LiveFold
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import rebuild_source, task_of, write_rows
from services.standalone.parts import Parts
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
TICK = Outgoing("", "", b'{"type":"__tick"}')
READINGS = 10
"""All of one round: who is linked (two hops), the edges, five tables and events; and one more."""


class Interrupted:
    """Storage after whose reading number ``at`` something happens: live traffic goes on."""

    def __init__(self, storage: ClickHouse, at: int, happen: Callable[[], None]) -> None:
        self._storage = storage
        self._left = at
        self._happen = happen
        self.happened = False

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        found = self._storage.query(sql, parameters)
        if self._left == 0:
            self._happen()
            self.happened = True
        self._left -= 1
        return found

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[bytes]:
        return self._storage.stream(sql, parameters)

    def command(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        self._storage.command(sql, parameters)

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        self._storage.insert(table, lines, token)


class Holds:
    """The live fold of an installation, and how often it was held."""

    def __init__(self, live: LiveFold) -> None:
        self._live = live
        self.count = 0
        self.holding = False

    def watched(self) -> AbstractContextManager[Watch]:
        return self._live.watched()

    @contextmanager
    def held(self) -> Iterator[Watch]:
        self.count += 1
        self.holding = True
        with self._live.held() as watch:
            yield watch
        self.holding = False


class Restless(Interrupted):
    """Storage after each of whose readings something happens, but while the fold is held."""

    def __init__(self, storage: ClickHouse, holds: Holds, happen: Callable[[], None]) -> None:
        super().__init__(storage, -1, happen)
        self._holds = holds

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        found = super().query(sql, parameters)
        if not self._holds.holding:
            self._happen()
        return found


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture(scope="module")
def parts(
    tmp_path_factory: pytest.TempPathFactory, chdb_dsn: str, clock: ManualClock
) -> Iterator[Parts]:
    folder = tmp_path_factory.mktemp("beside") / "data"
    with installation(folder, chdb_dsn, "beside_live", clock) as opened:
        yield opened


def send(parts: Parts, clock: ManualClock, visitor: str, *kinds: str, **more: Any) -> None:
    source = parts.catalog.source("shop")
    assert source is not None
    site = site_of(source, parts.rules("shop").policy)
    lines: list[Outgoing] = []
    for kind in kinds:
        clock.move(1_000 if len(kinds) < 10 else 1)
        event = {"type": kind, "visitor_id": visitor, "ts_ms": clock.now_ms(), **more}
        event["event_id"] = f"{visitor}-{kind}-{event['ts_ms']}"
        context = Context(site=site, received_ms=clock.now_ms(), new_id=lambda: "never")
        found = prepare(msgspec.json.encode(event), context)
        assert isinstance(found, Prepared), found
        lines.append(Outgoing("shop", found.address, found.line))
    parts.log.append(lines)


def pass_minutes(parts: Parts, clock: ManualClock, minutes: int) -> None:
    for _ in range(minutes * 6 + 1):
        clock.move(10_000)
        parts.log.append([TICK])
    parts.engine.catch_up()


GOODS = [{"product_id": "p1", "price": "12.50", "quantity": 2}]


def open_visits(parts: Parts, clock: ManualClock, name: str) -> None:
    """Leave open: a visit of one page, one with a cart, and one whose first half is late."""
    send(parts, clock, f"{name}-late", "page_view", url="https://shop.example/")
    send(parts, clock, f"{name}-cart", "page_view", url="https://shop.example/")
    pass_minutes(parts, clock, 31)
    early = clock.now_ms() - 20 * MINUTE_MS
    send(parts, clock, f"{name}-late", "product_view", ts_ms=early, products=GOODS)
    send(parts, clock, f"{name}-bounce", "page_view", url="https://shop.example/")
    send(parts, clock, f"{name}-cart", "cart_add", products=GOODS)
    pass_minutes(parts, clock, 1)


def happen(parts: Parts, clock: ManualClock, name: str) -> None:
    """Let a bounce go on after all, all visits close, the cart be left and bought, and one come."""
    send(parts, clock, f"{name}-bounce", "click", "product_view", products=GOODS)
    send(parts, clock, f"{name}-new", "page_view", url="https://shop.example/")
    pass_minutes(parts, clock, 32)
    early = clock.now_ms() - 20 * MINUTE_MS
    send(parts, clock, f"{name}-new", "product_view", ts_ms=early, products=GOODS)
    send(parts, clock, f"{name}-cart", "purchase", order_id=f"{name}-1", value="25.00")
    pass_minutes(parts, clock, 32)


def rebuild_all(parts: Parts, storage: Storage, addresses: list[str] | None) -> Summary:
    context = AdminContext(parts=parts, progress=nothing, running=False)
    source = parts.catalog.source("shop")
    assert source is not None
    task = task_of(context, source, context.rules)

    def write(table: str, lines: list[bytes]) -> None:
        write_rows(context, table, lines)

    return rebuild(storage, task, write, addresses)


@pytest.mark.parametrize("chosen", ["everybody", "named"])
@pytest.mark.parametrize("at", range(READINGS))
def test_what_happens_between_two_readings_is_not_undone(
    parts: Parts, clock: ManualClock, at: int, chosen: str
) -> None:
    name = f"{chosen}-{at}"
    open_visits(parts, clock, name)
    storage = Interrupted(parts.storage, at, lambda: happen(parts, clock, name))
    named = [f"{name}-{one}" for one in ("late", "cart", "bounce", "new")]
    rebuild_all(parts, storage, None if chosen == "everybody" else named)
    if not storage.happened:
        happen(parts, clock, name)
    beside = {table: rows(parts.storage, table) for table in TABLES}
    rebuild_source(AdminContext(parts=parts, progress=nothing, running=False), {})
    for table in TABLES:
        fresh = [row for row in rows(parts.storage, table) if name in row["visitor_id"]]
        stood = [row for row in beside[table] if name in row["visitor_id"]]
        late = (f"{name}-late", f"{name}-new")
        assert [row for row in fresh if row["visitor_id"] not in late] == [
            row for row in stood if row["visitor_id"] not in late
        ], table


def test_who_never_rests_is_rebuilt_under_holds_and_who_is_too_busy_for_one_is_named(
    parts: Parts, clock: ManualClock
) -> None:
    open_visits(parts, clock, "restless")
    send(parts, clock, "restless-huge", *["scroll"] * (HELD_EVENTS + 1))
    names = [f"restless-{one}" for one in ("cart", "bounce", "late", "huge")]

    def happen() -> None:
        for name in names:
            send(parts, clock, name, "page_view", url="https://shop.example/")
        pass_minutes(parts, clock, 1)

    context = AdminContext(parts=parts, progress=nothing, running=False)
    source = parts.catalog.source("shop")
    assert source is not None
    holds = Holds(LiveFold(context))
    task = replace(task_of(context, source, context.rules), live=holds)
    storage = Restless(parts.storage, holds, happen)
    found = rebuild(storage, task, partial(write_rows, context), names)
    assert holds.count == 2, "the others, before and after the one left out"
    assert found.note.startswith(f"1 visitors of more than {HELD_EVENTS} events")
    assert found.events > 0
    pass_minutes(parts, clock, 32)
    beside = {table: rows(parts.storage, table) for table in TABLES}
    rebuild_source(context, {})
    for table in TABLES:
        still = [row for row in beside[table] if row["visitor_id"] == names[1]]
        assert [row for row in rows(parts.storage, table) if row["visitor_id"] == names[1]] == still
