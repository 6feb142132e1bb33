"""The loops in one process, on real databases and a sink in memory, under a clock that is moved."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.event import Event, Product
from services.common.errors import FatalError, InvalidError, UnavailableError
from services.common.metrics import Metrics
from services.common.policy_file import parse_policy
from services.common.ports import Changes, Outgoing, PartitionMeta
from services.loader.isolate import insert_isolated
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from services.standalone.engine import Engine
from services.standalone.feed import Feed
from services.standalone.health import EngineHealth
from services.standalone.live import EngineLive
from services.standalone.log import SqliteLog
from services.standalone.preview import EnginePreview
from services.standalone.state_store import SqliteStates
from services.standalone.upkeep import LogRetention
from services.standalone.worker import Worker
from tests.support.clock import ManualClock
from tests.support.memory import MemorySink
from tests.support.process import eventually

POLICY = SourceRules(
    parse_policy(
        "[cart]\nidle_ms = 60_000\ncheckout_idle_ms = 30_000\n[session]\ngap_ms = 60_000\n"
        "[time]\ngrace_ms = 1_000\n"
    )
)


class Plant:
    """An engine without a server: what ingest would do is done by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.sink = MemorySink()
        self.errors: list[BaseException] = []
        self.folder = folder
        self.open()

    def open(self) -> None:
        self.log = SqliteLog(
            self.folder / "log.db", self.clock, on_fatal=self.errors.append, tick_seconds=3600
        )
        self.states = SqliteStates(self.folder / "state.db")
        self.metrics = Metrics()
        self.engine = Engine(
            Partition(lambda _: POLICY, self.states, self.states.meta(), time=POLICY.policy.time),
            self.log,
            self.states,
            self.sink,
            metrics=self.metrics,
            on_fatal=self.errors.append,
        )
        self.engine.start()

    def close(self) -> None:
        assert self.engine.stop(20)
        self.log.close()
        self.states.close()
        assert not self.errors

    def send(self, visitor: str, *kinds: str, at: int | None = None) -> None:
        now = self.clock.now_ms() if at is None else at
        self.log.append([self._item(visitor, kind, now) for kind in kinds])

    def _item(self, visitor: str, kind: str, now: int) -> Outgoing:
        event = Event(
            type=kind,  # type: ignore[arg-type]  # the test's own literals
            event_id=f"{visitor}-{kind}-{now}",
            source="shop",
            visitor_id=visitor,
            ts_ms=now,
            received_ms=now,
            products=[Product("p1", price=100)] if kind == "cart_add" else None,
        )
        return Outgoing("shop", visitor, msgspec.json.encode(event))

    def tick(self, by_ms: int, times: int = 1) -> None:
        """Let time pass as ingest would: a record after each step."""
        for _ in range(times):
            self.clock.move(by_ms)
            self.log.append([Outgoing("", "", b'{"type":"__tick"}')])

    def settle(self) -> None:
        """Wait until all that the log has is folded, stored and loaded."""
        eventually(lambda: self.engine.lag() == 0)
        eventually(lambda: self.engine.ask(lambda _: self._is_stored()).result())
        eventually(lambda: self.states.waiting_rows() == 0)
        eventually(lambda: self.engine.loader.loaded_to == self.log.end())

    def _is_stored(self) -> bool:
        """Tell whether no group is under way; asked in the fold's own thread."""
        folding = self.engine.sessionizer
        return not folding._group and folding._unsaved is None

    def signals(self) -> set[str]:
        return {str(row["kind"]) for row in self.sink.tables.get("signals", [])}


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


def test_an_abandoned_cart_comes_out_and_events_are_loaded(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    plant.tick(5_000, 14)
    plant.settle()
    assert "cart_abandoned" in plant.signals()
    assert {row["event_id"] for row in plant.sink.tables["events"]} == {
        f"v-{kind}-{1_790_000_000_000}" for kind in ("page_view", "cart_add")
    }


def test_a_jump_forward_is_a_stall_and_abandons_nobody_until_it_is_over(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    left = plant.clock.now_ms()
    plant.tick(1_000, 3)
    plant.tick(600_000)  # ten minutes of nothing: the hold lasts as long as the hole
    plant.tick(5_000, 3)
    plant.settle()
    assert "cart_abandoned" not in plant.signals()
    plant.send("v", "click", at=left + 40_000)  # what the client's queue kept meanwhile
    plant.send("v", "purchase", at=left + 80_000)
    plant.tick(9_000, 70)
    plant.settle()
    assert "converted" in plant.signals()
    assert "cart_abandoned" not in plant.signals(), "a backlog's shopper was not gone"


def test_a_stall_ends_and_who_is_really_gone_is_told_with_the_time_it_happened(
    plant: Plant,
) -> None:
    plant.send("v", "page_view", "cart_add")
    left = plant.clock.now_ms()
    plant.tick(1_000, 3)
    plant.tick(70_000)
    plant.tick(9_000, 10)
    plant.settle()
    (row,) = [row for row in plant.sink.tables["signals"] if row["kind"] == "cart_abandoned"]
    assert row["at_ms"] == left + 60_000


def test_after_a_jump_back_the_logs_clock_stands_still_and_says_by_how_much(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    plant.tick(1_000, 2)
    stood = plant.log.append_ms()
    plant.clock.move(-3_600_000)
    plant.tick(5_000, 20)
    plant.settle()
    assert plant.log.append_ms() == stood
    assert plant.engine.fold.clock_ms == stood
    assert plant.signals().isdisjoint({"cart_abandoned", "bounce"})
    hop = EngineHealth(plant.engine, lambda: False).look()[1]
    assert "3500.0 s behind" in hop.note
    assert hop.trouble == "", "events are still taken"
    plant.clock.move(3_500_000)
    plant.tick(5_000, 14)
    plant.settle()
    assert "cart_abandoned" in plant.signals()
    assert EngineHealth(plant.engine, lambda: False).look()[1].note == ""


def test_a_restart_goes_on_where_it_was_and_repeats_nothing_to_readers(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    plant.settle()
    plant.close()
    plant.open()
    plant.tick(5_000, 14)
    plant.settle()
    versions = [
        (row["signal_id"], row["version"])
        for row in plant.sink.tables["signals"]
        if row["kind"] == "cart_abandoned"
    ]
    assert len(versions) == 1


def test_a_line_nobody_can_read_becomes_a_dead_letter_and_stops_nothing(plant: Plant) -> None:
    plant.log.append([Outgoing("shop", "v", b'{"type":"page_view"'), Outgoing("", "", b"\xff\xfe")])
    plant.send("v", "page_view")
    plant.settle()
    letters = plant.sink.tables["dead_letters"]
    assert [letter["code"] for letter in letters] == ["unreadable", "unreadable"]
    assert letters[0]["original"] == '{"type":"page_view"'
    assert (letters[1]["original"], letters[1]["base64"]) == ("//4=", True)
    assert len(plant.sink.tables["events"]) == 1


def test_a_webhook_order_is_forwarded_through_the_log_to_the_linked_visitor(plant: Plant) -> None:
    now = plant.clock.now_ms()
    cart = Event(
        type="cart_add",
        event_id="a",
        source="shop",
        visitor_id="v",
        cart_id="c9",
        ts_ms=now,
        products=[Product("p1", price=100)],
    )
    order = Event(
        type="purchase",
        event_id="o",
        source="shop",
        cart_id="c9",
        order_id="o1",
        value=100,
        origin="server",
        ts_ms=now + 4_000,
    )
    plant.log.append([Outgoing("shop", "v", msgspec.json.encode(cart))])
    plant.tick(4_000)
    plant.log.append([Outgoing("shop", "cart:c9", msgspec.json.encode(order))])
    plant.settle()
    eventually(lambda: plant.states.waiting_forwards() == 0)
    plant.tick(5_000, 16)
    plant.settle()
    (row,) = [row for row in plant.sink.tables["carts"] if row["outcome"] != "open"][-1:]
    assert (row["outcome"], row["order_id"]) == ("converted", "o1")
    assert "cart_abandoned" not in plant.signals()


def test_a_sink_that_does_not_answer_holds_everything_and_loses_nothing(plant: Plant) -> None:
    plant.sink.refuse = True
    plant.send("v", "page_view")
    eventually(lambda: plant.engine.loader.trouble)
    assert EngineHealth(plant.engine, lambda: False).look()[4].trouble == "storage does not answer"
    plant.send("w", "page_view")
    plant.sink.refuse = False
    plant.settle()
    assert {row["visitor_id"] for row in plant.sink.tables["events"]} == {"v", "w"}
    assert plant.engine.loader.trouble == ""


async def test_what_storage_lacks_is_told_with_how_long_it_has_waited(plant: Plant) -> None:
    health, loader = EngineHealth(plant.engine, lambda: False), plant.engine.loader
    plant.sink.refuse = True
    plant.send("v", "page_view")
    eventually(lambda: loader.trouble)
    plant.tick(25_000)
    waits = await health.waits_ms()
    assert waits is not None
    assert waits >= 25_000
    plant.sink.refuse = False
    plant.settle()
    eventually(lambda: loader.rows_age_ms() < 5_000)
    assert await health.waits_ms() < 25_000  # type: ignore[operator]  # an int, or it fails


def test_rows_of_the_fold_count_as_waiting_until_a_turn_has_brought_them(plant: Plant) -> None:
    loader = plant.engine.loader
    with plant.engine.paused():
        began = time.monotonic()
        loader.turn()
        brought = loader.rows_age_ms()
        assert brought <= (time.monotonic() - began) * 1_000
        eventually(lambda: loader.rows_age_ms() > brought + 20)
        loader.turn(rows=False)
        assert loader.rows_age_ms() > brought + 20, "it brought events alone"
        plant.sink.refuse = True
        plant.log.append([plant._item("v", "page_view", plant.clock.now_ms())])
        loader.turn()
        assert loader.trouble
        assert loader.rows_age_ms() > brought + 20, "it brought nothing"
        plant.sink.refuse = False


async def test_the_live_view_shows_what_has_not_settled(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    live = EngineLive(plant.engine)
    eventually(lambda: plant.engine.lag() == 0)
    seen = await live.visitor("shop", "v")
    assert seen is not None
    assert seen["current_stage"] == "intent"
    assert await live.visitor("shop", "nobody") is None
    cart = await live.cart("shop", "v", seen["cart"]["cart_id"])
    assert cart is not None
    assert cart["outcome"] == "open"
    assert await live.cart("shop", "nobody", cart["cart_id"]) is None
    assert await live.open_carts("shop") == 1
    assert (await live.live_visitors("shop"))["intent"] == 1
    assert await live.clock_ms() == plant.clock.now_ms()
    kinds = {row["kind"] for row in await live.signals("shop")}
    assert "stage_entered" in kinds
    assert await live.signals("another") == []


def test_while_paused_the_log_takes_events_and_nothing_moves(plant: Plant) -> None:
    with plant.engine.paused() as fold:
        clock = fold.clock_ms
        plant.send("v", "page_view")
        time.sleep(0.3)
        assert fold.clock_ms == clock
        assert plant.sink.tables == {}
    plant.settle()
    assert len(plant.sink.tables["events"]) == 1


def test_the_log_is_trimmed_behind_what_is_applied_loaded_and_old(plant: Plant) -> None:
    retention = LogRetention(plant.log, plant.states, keep_ms=60_000, keep_bytes=1 << 40)
    plant.send("v", "page_view")
    plant.tick(5_000, 30)
    assert retention.run() <= 18
    plant.settle()
    time.sleep(5.1)  # the place of ticks alone is noted every five seconds
    plant.tick(5_000)
    plant.settle()
    retention.run()
    kept = [record.append_ms for record in plant.log.read(0, 1 << 20)]
    assert kept
    assert kept[0] >= plant.log.append_ms() - 60_000
    with plant.log.holding():
        assert plant.log.trim(plant.log.end()) == 0


def test_a_log_over_its_size_goes_sooner_but_never_before_it_was_used(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    clock = ManualClock()
    log = SqliteLog(tmp_path / "log.db", clock, on_fatal=errors.append)
    states = SqliteStates(tmp_path / "state.db")
    for _ in range(40):
        log.append([Outgoing("s", "v", b"x" * 100_000)])
    retention = LogRetention(log, states, keep_ms=1 << 40, keep_bytes=1_000_000)
    assert retention.run() == 0
    states.arrived(0, 30)
    plant_meta(states, 25)
    assert retention.run() == 25
    assert log.start() == 26
    states.close()
    log.close()
    assert not errors


def test_what_became_of_events_is_counted(plant: Plant) -> None:
    now = plant.clock.now_ms()
    plant.send("v1", "page_view", at=now)
    plant.send("v1", "page_view", at=now)
    plant.log.append([Outgoing("shop", "v1", b'{"type":')])
    plant.tick(2_000)
    plant.settle()
    plant.send("v1", "cart_add", at=now - 10)  # before what has settled
    plant.tick(2_000)
    plant.settle()
    counted = plant.metrics.expose().decode().splitlines()
    events = {line for line in counted if line.startswith("waymark_sessionizer_events_total{")}
    assert events == {
        f'waymark_sessionizer_events_total{{outcome="{outcome}"}} 1.0'
        for outcome in ("folded", "repeated", "late")
    }
    assert "waymark_sessionizer_poison_total 1.0" in counted


def plant_meta(states: SqliteStates, applied: int) -> None:
    states.commit(Changes(PartitionMeta(applied), {}, {}, []))


class Picky:
    """A sink that refuses for good every row with a mark in it."""

    def __init__(self, bad: Sequence[bytes]) -> None:
        self.bad = set(bad)
        self.kept: dict[str, list[bytes]] = {}

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        if self.bad & set(lines):
            raise InvalidError("cannot parse")
        self.kept.setdefault(table, []).extend(lines)


def test_one_bad_row_does_not_hold_the_others_up() -> None:
    lines = [b'{"source":"shop","n":%d}' % n for n in range(100)]
    sink = Picky([lines[17], lines[63]])
    assert insert_isolated(sink, "carts", lines, "t") == [lines[17], lines[63]]
    assert sorted(sink.kept["carts"]) == sorted(set(lines) - {lines[17], lines[63]})
    letters = [msgspec.json.decode(line, type=dict[str, Any]) for line in sink.kept["dead_letters"]]
    assert [letter["code"] for letter in letters] == ["storage_refused"] * 2
    assert letters[0]["original"] == lines[17].decode()


def test_a_table_that_refuses_everything_stops_the_process() -> None:
    lines = [b'{"n":%d}' % n for n in range(300)]
    with pytest.raises(FatalError, match="storage refuses rows of carts"):
        insert_isolated(Picky(lines), "carts", lines, "t")


def test_a_turn_that_fails_is_told_and_the_loop_ends() -> None:
    errors: list[BaseException] = []

    def turn() -> float:
        raise RuntimeError("unforeseen")

    worker = Worker("one", turn, errors.append)
    worker.start()
    assert worker.join(5)
    assert [str(error) for error in errors] == ["unforeseen"]


def test_a_woken_worker_does_not_wait_and_a_paused_one_stands() -> None:
    turns: list[float] = []

    def turn() -> float:
        turns.append(time.monotonic())
        return 60.0

    errors: list[BaseException] = []
    worker = Worker("one", turn, errors.append)
    worker.start()
    eventually(lambda: len(turns) == 1)
    worker.wake()
    eventually(lambda: len(turns) == 2)
    worker.pause()
    worker.wake()
    time.sleep(0.1)
    assert len(turns) == 2
    worker.resume()
    eventually(lambda: len(turns) == 3)
    worker.stop()
    assert worker.join(5)
    assert not errors


async def test_a_reader_of_the_feed_gets_all_from_now_on_until_the_end() -> None:
    feed = Feed()
    feed.publish([b"before"])
    got: list[bytes] = []

    async def follow() -> None:
        async for line in feed.subscribe():
            got.append(line)
            if len(got) == 2:
                both.set()

    both = asyncio.Event()
    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    threading.Thread(target=feed.publish, args=([b"1", b"2"],)).start()
    await asyncio.wait_for(both.wait(), 5)
    feed.close()
    await asyncio.wait_for(task, 5)
    assert got == [b"1", b"2"]
    assert [line async for line in feed.subscribe()] == []


async def test_a_slow_reader_of_the_feed_is_cut_off() -> None:
    feed = Feed(size=3)
    stream = feed.subscribe()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    feed.publish([b"1"])
    assert await first == b"1"
    feed.publish([b"%d" % n for n in range(10)])
    await asyncio.sleep(0)
    assert [line async for line in stream] == []


def test_a_closed_log_refuses(tmp_path: Path, fatal: Callable[[BaseException], None]) -> None:
    log = SqliteLog(tmp_path / "log.db", ManualClock(), on_fatal=fatal)
    log.close()
    with pytest.raises(UnavailableError, match="closing"):
        log.append([Outgoing("s", "v", b"{}")])


@pytest.fixture
def fatal() -> Callable[[BaseException], None]:
    def told(error: BaseException) -> None:
        raise AssertionError(f"fatal: {error}")

    return told


def test_ticks_come_once_a_second_only_while_ingest_accepts(
    tmp_path: Path, fatal: Callable[[BaseException], None]
) -> None:
    log = SqliteLog(tmp_path / "log.db", ManualClock(), on_fatal=fatal, tick_seconds=0.05)
    time.sleep(0.2)
    assert log.end() == 0
    log.accept(True)
    eventually(lambda: log.end() >= 2)
    log.accept(False)
    time.sleep(0.1)
    end = log.end()
    time.sleep(0.2)
    assert log.end() == end
    assert {record.body for record in log.read(0, 1 << 20)} == {b'{"type":"__tick"}'}
    log.close()


def test_a_burst_makes_no_tick(tmp_path: Path, fatal: Callable[[BaseException], None]) -> None:
    quiet_seconds = 0.3
    log = SqliteLog(tmp_path / "log.db", ManualClock(), on_fatal=fatal, tick_seconds=quiet_seconds)
    log.accept(True)
    began = before = time.monotonic()
    due = 0
    while time.monotonic() - began < 2 * quiet_seconds:
        now = time.monotonic()
        log.append([Outgoing("s", "v", b'{"n":1}')])
        # Where the machine itself stands still for so long, ticks are due.
        due += int((time.monotonic() - before) / quiet_seconds)
        before = now
        time.sleep(0.02)
    ticks = [one for one in log.read(0, 1 << 20) if one.body == b'{"type":"__tick"}']
    due += int((time.monotonic() - before) / quiet_seconds)
    assert len(ticks) <= due
    log.close()


async def test_a_dry_run_builds_on_what_still_waits_and_changes_nothing(plant: Plant) -> None:
    plant.send("v", "page_view", "cart_add")
    eventually(lambda: plant.engine.lag() == 0)
    now = plant.clock.now_ms()
    events = [
        Event(type=kind, event_id=kind, source="shop", visitor_id="v", ts_ms=now + 5, order_id="o")
        for kind in ("checkout_start", "purchase")
    ]
    preview = EnginePreview(plant.engine, lambda _: POLICY)
    first, second = await preview("shop", events)
    assert (first["stage"], second["stage"]) == ("intent", "purchase")
    assert first["cart"]["before"]["lines"][0]["price"] == "1.00"
    assert first["cart"]["before"]["outcome"] == "open"
    assert second["cart"]["after"] is None or second["cart"]["after"]["outcome"] == "converted"
    assert {"kind": "converted", "stage": "purchase"} in second["signals"]
    assert await preview("shop", events) == [first, second]
    assert (first["duplicate"], second["duplicate"]) == (False, False)
    sent = msgspec.structs.replace(events[0], event_id=f"v-cart_add-{now}")
    (again,) = await preview("shop", [sent])
    assert (again["duplicate"], again["late"], again["signals"]) == (True, False, [])
    live = await EngineLive(plant.engine).visitor("shop", "v")
    assert live is not None
    assert live["current_stage"] == "intent"
