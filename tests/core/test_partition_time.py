"""Time as the log knows it: ticks, stalls, visitors who lag, rows once a minute, forgetting."""

from schemas.event import Event
from tests.core.streams import DAY, HOUR, MINUTE, SECOND, T0, Stream, event


def test_ticks_alone_close_a_session_at_its_own_deadline() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 30 * MINUTE + 30_000)
    assert stream.sessions()[0]["open"] is True
    stream.tick(30 * MINUTE + 30_001)
    row = stream.sessions()[0]
    assert (row["open"], row["closed_ms"]) == (False, T0 + 30 * MINUTE)


def test_a_hole_of_ten_seconds_is_no_stall() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 30 * MINUTE + 21_000)
    stream.tick(30 * MINUTE + 31_000)
    assert stream.signals() == [("cart_abandoned", 30 * MINUTE)]


def test_a_stall_holds_absence_back_for_as_long_as_it_lasted() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 29 * MINUTE)
    stream.tick(34 * MINUTE)
    stream.quiet(34 * MINUTE, 39 * MINUTE - 1)
    assert stream.signals() == []
    stream.tick(39 * MINUTE)
    assert stream.signals() == [("cart_abandoned", 30 * MINUTE)]


def test_a_stall_of_forty_minutes_holds_for_fifteen() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, MINUTE)
    stream.tick(41 * MINUTE)
    stream.quiet(41 * MINUTE, 56 * MINUTE - 1)
    assert stream.signals() == []
    stream.tick(56 * MINUTE)
    assert ("cart_abandoned", 30 * MINUTE) in stream.signals()


def test_what_folds_send_while_ingest_is_away_hides_no_stall() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, MINUTE)
    for at in range(MINUTE, 41 * MINUTE, 9 * SECOND):
        stream.send(at, event("__link", at, visitor="other", to="user:u"))
    stream.tick(41 * MINUTE)
    stream.quiet(41 * MINUTE, 56 * MINUTE - 1)
    assert stream.signals() == []
    stream.tick(56 * MINUTE)
    assert ("cart_abandoned", 30 * MINUTE) in stream.signals()


def test_what_folds_send_settles_when_ingest_lets_time_pass() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.send(SECOND, event("purchase", SECOND, visitor="", to="v", order_id="o", value=900))
    assert stream.partition.clock_ms == T0
    stream.quiet(2 * SECOND, 31 * SECOND)
    assert [kind for kind, _ in stream.signals()] == ["converted"]


def test_what_queues_delivered_after_a_stall_saves_a_cart_from_abandonment() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, MINUTE)
    stream.tick(41 * MINUTE)
    stream.send(42 * MINUTE, event("page_view", 20 * MINUTE), event("page_view", 40 * MINUTE))
    stream.send(42 * MINUTE + 1, event("purchase", 41 * MINUTE, order_id="o", value=900))
    stream.quiet(43 * MINUTE, 3 * HOUR)
    assert [kind for kind, _ in stream.signals()] == ["converted"]


def test_a_visitor_who_lags_is_not_declared_gone_while_more_may_come() -> None:
    stream = Stream()
    stream.quiet(0, 39 * MINUTE)
    stream.send(40 * MINUTE, event("cart_add", 0))
    stream.quiet(40 * MINUTE, 70 * MINUTE - 1)
    assert stream.signals() == []
    stream.tick(70 * MINUTE)
    assert stream.signals() == [("cart_abandoned", 30 * MINUTE)]


def test_a_backlog_of_six_hours_abandons_only_what_was_left() -> None:
    stream = Stream()
    stream.quiet(0, MINUTE)
    stream.send(
        6 * HOUR,
        event("cart_add", MINUTE, visitor="left"),
        event("cart_add", 2 * MINUTE, visitor="bought"),
        event("purchase", 20 * MINUTE, visitor="bought", order_id="o", value=100),
    )
    stream.quiet(6 * HOUR, 7 * HOUR)
    assert ("cart_abandoned", 31 * MINUTE) in stream.signals("left")
    assert [kind for kind, _ in stream.signals("bought")] == ["converted"]
    assert [flag for _, flag in stream.flags()] == ["stateless", "stateless"]


def test_open_rows_come_at_once_then_once_a_minute_and_the_last_change_after_one() -> None:
    stream = Stream()
    seen: list[int] = []
    for at in range(0, 160_001, 5_000):
        if at <= 100_000:
            stream.send(at, event("page_view", at))
        else:
            stream.tick(at)
        if stream.rows.get("sessions"):
            seen.append(stream.sessions()[0]["page_views"])
            stream.rows["sessions"].clear()
    assert seen == [1, 13, 21]
    stream.quiet(161_000, 10 * MINUTE)
    assert not stream.rows["sessions"]


def test_open_rows_are_not_said_again_where_nothing_has_changed() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 30_000)
    first = (stream.sessions()[0]["version"], stream.carts()[0]["version"])
    stream.quiet(31_000, 20 * MINUTE)
    assert (stream.sessions()[0]["version"], stream.carts()[0]["version"]) == first


def test_a_closed_visitor_is_known_for_two_hours_and_then_forgotten() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 2 * HOUR + 29 * MINUTE)
    assert b"shop\x1fv" in stream.states.kept
    stream.quiet(2 * HOUR + 29 * MINUTE, 2 * HOUR + 31 * MINUTE)
    assert stream.states.kept == {}


def test_a_late_event_within_the_life_of_a_stub_is_late() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 2 * HOUR)
    stream.send(2 * HOUR, event("page_view", 10 * MINUTE, "straggler"))
    assert stream.flags() == [("straggler", "late")]


def test_a_buyer_is_remembered_for_a_year() -> None:
    stream = Stream()
    stream.send(0, event("purchase", 0, order_id="o", value=100))
    stream.quiet(SECOND, 3 * HOUR)
    stub = stream.states.kept[b"shop\x1fv"]
    assert len(stub) < 120
    stream.quiet(3 * HOUR, 300 * DAY, HOUR)
    stream.send(300 * DAY, event("page_view", 300 * DAY))
    stream.quiet(300 * DAY, 300 * DAY + HOUR)
    assert stream.sessions()[-1]["past_buyer"] is True
    stream.quiet(301 * DAY, 370 * DAY, HOUR)
    assert stream.states.kept == {}


def test_a_tick_is_no_event() -> None:
    stream = Stream()
    assert stream.send(0, Event(type="__tick")) == []
    assert stream.states.kept == {}
    assert stream.partition.clock_ms == T0


def test_the_clock_never_goes_back() -> None:
    stream = Stream()
    stream.tick(10_000)
    stream.tick(4_000)
    assert stream.partition.clock_ms == T0 + 10_000


def test_a_session_ends_though_what_held_its_end_back_is_struck() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 30 * MINUTE + 20 * SECOND)
    at = 30 * MINUTE + 21 * SECOND
    stream.send(at, event("performance", at, "gone"))
    stream.quiet(at + SECOND, at + 15 * SECOND)
    stream.partition.strike([], lambda _key, data: data, lambda event: event.event_id == "gone")
    stream.quiet(at + 16 * SECOND, at + MINUTE)
    assert [row["open"] for row in stream.sessions()] == [False]
