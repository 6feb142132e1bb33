"""``waymark forget``: afterwards no file of the installation has the person's id in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from schemas.rows import DeadLetter
from services.common.errors import InvalidError
from services.common.ports import Outgoing, nothing
from services.common.sites import site_of
from services.history.rebuild import TABLES
from services.standalone.admin.context import AdminContext
from services.standalone.admin.forget import forget
from services.standalone.parts import Parts
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

START_MS = 1_790_000_000_000
GONE = "Zkq7-the-one-who-leaves"
LAPTOP = "Xvw3-her-other-machine"
USER = "Jhp9-customer-of-the-shop"
STAYS = "v-who-stays"
TICK = Outgoing("", "", b'{"type":"__tick"}')


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def parts(
    tmp_path: Path, chdb_dsn: str, clock: ManualClock, request: pytest.FixtureRequest
) -> Iterator[Parts]:
    database = f"forget_{abs(hash(request.node.name))}"
    with installation(tmp_path / "data", chdb_dsn, database, clock) as opened:
        yield opened


def send(parts: Parts, clock: ManualClock, *events: dict[str, Any]) -> None:
    source = parts.catalog.source("shop")
    assert source is not None
    site = site_of(source, parts.rules("shop").policy)
    for event in events:
        clock.move(1_000)
        context = Context(site=site, received_ms=clock.now_ms(), new_id=lambda: "never")
        found = prepare(msgspec.json.encode({"ts_ms": clock.now_ms(), **event}), context)
        assert isinstance(found, Prepared), found
        parts.log.append([Outgoing("shop", found.address, found.line)])
    parts.engine.catch_up()


def visit(visitor: str, **more: Any) -> list[dict[str, Any]]:
    goods = [{"product_id": "p1", "price": "12.50", "quantity": 2}]
    steps = ("page_view", "product_view", "cart_add")
    return [
        {"type": step, "event_id": f"{visitor}-{step}", "visitor_id": visitor, **more}
        | ({"url": "https://shop.example/"} if step == "page_view" else {"products": goods})
        for step in steps
    ]


def pass_time(parts: Parts, clock: ManualClock, minutes: int) -> None:
    for _ in range(minutes * 6):
        clock.move(10_000)
        parts.log.append([TICK])
    parts.engine.catch_up()


def holding(word: str, *folders: Path) -> list[Path]:
    """Return the files that have a word in them."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if word.encode() in path.read_bytes()]


def tables_of(parts: Parts) -> list[Path]:
    """Return the folders of this installation's tables: the engine is shared by the tests."""
    sql = (
        "SELECT arrayJoin(data_paths) AS path FROM system.tables WHERE database = currentDatabase()"
    )
    return [Path(row["path"]) for row in parts.storage.query(sql)]


def ask(parts: Parts, **args: Any) -> dict[str, int]:
    return forget(AdminContext(parts=parts, progress=nothing, running=False), args)


def answers(parts: Parts, visitor: str) -> dict[str, Any]:
    stored = {
        table: [row for row in rows(parts.storage, table) if row["visitor_id"] == visitor]
        for table in (*TABLES, "events")
    }
    return {"live": parts.engine.fold.visitor("shop", visitor), **stored}


def letter(number: int, original: str) -> DeadLetter:
    return DeadLetter(
        id=f"letter-{number}", source="shop", received_ms=START_MS, code="invalid_field",
        field="ts_ms", message="wrong", original=original,
    )  # fmt: skip


def fill(parts: Parts, clock: ManualClock) -> list[Path]:
    """Let three visitors leave traces everywhere, old and new; return where they may lie."""
    send(parts, clock, *visit(GONE, user_id=USER, cart_id="c-1"), *visit(STAYS))
    pass_time(parts, clock, 32)
    refused = [letter(1, f'{{"visitor_id":"{GONE}","ts_ms":-1}}'), letter(2, '{"ts_ms":-1}')]
    parts.storage.insert("dead_letters", [msgspec.json.encode(one) for one in refused], "")
    send(parts, clock, *visit(LAPTOP, user_id=USER))
    send(parts, clock, {"type": "page_view", "event_id": "again", "visitor_id": GONE})
    send(parts, clock, {"type": "page_view", "event_id": "again-2", "visitor_id": STAYS})
    places = [parts.folder.root, *tables_of(parts)]
    traces = [len(holding(word, *places)) for word in (GONE, LAPTOP, USER)]
    assert traces[0] >= 3, "log, states and storage: without a trace before, none proves nothing"
    assert min(traces) >= 2
    return places


def test_a_visitor_leaves_no_trace_and_others_stay(parts: Parts, clock: ManualClock) -> None:
    places = fill(parts, clock)
    before = answers(parts, STAYS)
    went = ask(parts, visitor_id=GONE)
    assert holding(GONE, *places) == []
    assert answers(parts, STAYS) == before
    assert (went["visitors"], went["events"], went["dead_letters"]) == (1, 4, 1)
    assert went["log"] >= 4
    assert parts.engine.fold.visitor("shop", GONE) is None
    assert holding(USER, *places), "the laptop is still known as the user's"
    pass_time(parts, clock, 32)
    assert holding(GONE, *places) == [], "nor does time bring anything back"
    (closed,) = [
        row for row in answers(parts, STAYS)["sessions"] if row["started_ms"] > START_MS + 60_000
    ]
    assert closed["closed_ms"] is not None


def test_a_user_goes_with_every_visitor_it_was(parts: Parts, clock: ManualClock) -> None:
    places = fill(parts, clock)
    before = answers(parts, STAYS)
    went = ask(parts, user_id=USER)
    assert went["visitors"] == 3
    assert [holding(word, *places) for word in (GONE, LAPTOP, USER)] == [[], [], []]
    assert answers(parts, STAYS) == before


def test_a_later_event_of_the_same_visitor_starts_fresh(parts: Parts, clock: ManualClock) -> None:
    fill(parts, clock)
    ask(parts, visitor_id=GONE)
    send(parts, clock, {"type": "page_view", "event_id": f"{GONE}-page_view", "visitor_id": GONE})
    live = parts.engine.fold.visitor("shop", GONE)
    assert live is not None
    assert (live["lifetime_stage"], live["cart"]) == ("discovery", None)
    pass_time(parts, clock, 32)
    (session,) = answers(parts, GONE)["sessions"]
    assert (session["page_views"], session["user_id"]) == (1, "")


def test_forgetting_twice_finds_nothing_the_second_time(parts: Parts, clock: ManualClock) -> None:
    fill(parts, clock)
    ask(parts, user_id=USER)
    again = ask(parts, user_id=USER)
    assert again.keys() == {*TABLES, "visitors", "log", "states", "forwards", "events"} | {
        "event_flags", "dead_letters",
    }  # fmt: skip
    assert not any(again.values())


def test_exactly_one_person_is_named(parts: Parts) -> None:
    for args in ({}, {"visitor_id": "a", "user_id": "b"}):
        with pytest.raises(InvalidError, match="name exactly one"):
            ask(parts, **args)
