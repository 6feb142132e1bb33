"""Answers of now: the fold of settled and waiting events, and counts that follow at once."""

from schemas.ids import cart_id
from services.sessionizer.core.collect import ENDED
from services.sessionizer.core.preview import preview
from tests.core.streams import HOUR, MINUTE, RULES, SECOND, T0, Stream, event
from tests.support.memory import MemoryStates


def live(stream: Stream, visitor: str = "v") -> dict[str, object]:
    found = stream.partition.visitor("shop", visitor)
    assert found is not None
    return found


def counts(stream: Stream) -> dict[str, int]:
    return {stage: n for stage, n in stream.partition.live_visitors("shop").items() if n}


def test_a_waiting_event_shows_at_once_and_changes_nothing() -> None:
    stream = Stream()
    stream.send(0, event("product_view", 0))
    stream.send(SECOND, event("cart_add", SECOND))
    assert live(stream)["current_stage"] == "intent"
    assert live(stream)["last_event_ms"] == T0 + SECOND
    assert stream.states.kept == {}
    assert "signals" not in stream.rows


def test_a_visitor_never_seen_is_none() -> None:
    assert Stream().partition.visitor("shop", "nobody") is None


def test_another_source_does_not_see_the_visitor() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    assert stream.partition.visitor("other", "v") is None
    assert not any(stream.partition.live_visitors("other").values())


def test_live_visitors_are_counted_by_current_stage_waiting_ones_included() -> None:
    stream = Stream()
    stream.send(0, event("product_view", 0), event("page_view", 0, visitor="w"))
    stream.send(1, event("click", 1, visitor="x"))
    assert counts(stream) == {"discovery": 1, "interest": 1, "unstaged": 1}
    stream.quiet(SECOND, MINUTE)
    assert counts(stream) == {"discovery": 1, "interest": 1, "unstaged": 1}
    stream.send(MINUTE, event("cart_add", MINUTE, visitor="w"))
    assert counts(stream) == {"intent": 1, "interest": 1, "unstaged": 1}


def test_a_visitor_is_live_for_less_than_thirty_minutes() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 30 * MINUTE - SECOND)
    assert counts(stream) == {"discovery": 1}
    stream.tick(30 * MINUTE)
    assert counts(stream) == {}


def test_a_passive_event_makes_nobody_live() -> None:
    stream = Stream()
    stream.send(0, event("email_open", 0))
    assert counts(stream) == {}


def test_bots_tests_and_staff_are_not_counted() -> None:
    stream = Stream()
    stream.send(
        0,
        event("cart_add", 0, visitor="a", bot=True),
        event("cart_add", 0, visitor="b", test=True),
        event("cart_add", 0, visitor="c", excluded=True),
    )
    assert counts(stream) == {}
    assert stream.partition.open_carts("shop") == 0


def test_open_carts_follow_the_carts_life() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0), event("cart_add", 0, visitor="w"))
    assert stream.partition.open_carts("shop") == 2
    stream.send(MINUTE, event("purchase", MINUTE, order_id="o", value=1))
    assert stream.partition.open_carts("shop") == 1
    stream.quiet(MINUTE, 31 * MINUTE)
    assert stream.partition.open_carts("shop") == 0


def outcome(stream: Stream, opener: str = "cart_add@0", visitor: str = "v") -> str | None:
    row = stream.partition.live_cart("shop", visitor, cart_id("shop", "v", opener))
    return None if row is None else row.outcome


def test_a_cart_is_told_as_it_stands_now_open_or_ended() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    assert outcome(stream) == "open"
    assert outcome(stream, visitor="w") is None
    assert outcome(stream, "another") is None
    stream.send(SECOND, event("purchase", SECOND, order_id="o", value=1))
    assert outcome(stream) == "converted"
    assert stream.carts() == []
    stream.send(2 * SECOND, event("cart_add", 2 * SECOND))
    assert (outcome(stream), outcome(stream, "cart_add@2000")) == ("converted", "open")
    stream.quiet(3 * SECOND, MINUTE)
    assert (outcome(stream), outcome(stream, "cart_add@2000")) == ("converted", "open")


def test_a_cart_paid_by_someone_gone_is_told_until_storage_must_have_it() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 40 * MINUTE)
    assert outcome(stream) == "abandoned"
    at = 41 * MINUTE
    stream.send(at, event("purchase", at, order_id="o", value=1, origin="server"))
    assert live(stream)["cart"] is None
    assert outcome(stream) == "recovered"
    stream.quiet(at + SECOND, at + MINUTE)
    assert [row["outcome"] for row in stream.carts()] == ["recovered"]
    assert outcome(stream) == "recovered"
    stream.partition.strike(["shop\x1fv"], lambda _key, _data: None, lambda _event: True)
    assert outcome(stream) is None


def test_a_cart_that_ended_is_told_before_it_is_taken_while_its_visitor_goes_on() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.send(SECOND, event("purchase", SECOND, order_id="o", value=1))
    stream.send(2 * SECOND, event("cart_add", 2 * SECOND))
    stream.tick(20 * SECOND)
    stream.send(40 * SECOND, event("page_view", 40 * SECOND), commit=False)
    assert stream.carts() == [], "it is taken already"
    assert (outcome(stream), outcome(stream, "cart_add@2000")) == ("converted", "open")


def test_only_the_newest_ended_carts_are_kept() -> None:
    stream = Stream()
    for number in range(ENDED + 2):
        at = number * SECOND
        stream.send(at, event("cart_add", at), event("purchase", at + 1, order_id=f"o{number}"))
    last = (ENDED + 1) * SECOND
    stream.quiet(last + SECOND, last + MINUTE)
    assert outcome(stream, f"cart_add@{last}") == "converted"
    assert outcome(stream, "cart_add@2000") == "converted"
    assert outcome(stream, "cart_add@1000") is None


def test_counts_are_the_same_after_a_restart() -> None:
    stream = Stream(resident=1)
    for number in range(10):
        stream.send(number, event("cart_add", number, visitor=f"v{number}"))
    stream.quiet(SECOND, 2 * MINUTE)
    before = counts(stream), stream.partition.open_carts("shop")
    stream.crash()
    assert (counts(stream), stream.partition.open_carts("shop")) == before == ({"intent": 10}, 10)


def test_counts_asked_at_every_moment_are_those_asked_once() -> None:
    asked, quiet = Stream(resident=2), Stream(resident=2)
    for number in range(40):
        at = number * 7_000
        events = [event("page_view", at, visitor=f"v{number % 5}"), event("cart_add", at + 1)]
        for stream in (asked, quiet):
            stream.send(at + 10, *events)
        counts(asked)
    assert counts(asked) == counts(quiet) == {"discovery": 5, "intent": 1}


def test_signals_of_waiting_events_show_before_they_are_final() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    waiting = [(row.kind, row.stage) for row in stream.partition.live_signals()]
    assert waiting == [("stage_entered", "intent")]
    stream.quiet(SECOND, MINUTE)
    assert stream.partition.live_signals() == []
    assert len(stream.rows["signals"]) == 1


def test_a_preview_tells_what_an_event_would_do_and_changes_nothing() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, MINUTE)
    before = dict(stream.states.kept)
    told = preview([event("cart_add", 2 * MINUTE, "add")], RULES, stream.states)
    assert told[0]["event_id"] == "add"
    assert told[0]["before"]["current_stage"] == "discovery"
    assert told[0]["before"]["cart"] is None
    assert told[0]["after"]["current_stage"] == "intent"
    assert told[0]["after"]["cart"]["outcome"] == "open"
    assert stream.states.kept == before


def test_a_preview_of_an_event_before_the_frontier_is_late() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000))
    stream.quiet(11_000, MINUTE)
    told = preview([event("cart_add", 0)], RULES, stream.states)[0]
    assert told["late"] is True
    assert told["before"] == told["after"]
    assert told["signals"] == []


def here(data: bytes | None) -> MemoryStates:
    """Return what a look-up found of the visitor."""
    assert data is not None
    states = MemoryStates()
    states.kept[b"shop\x1fv"] = data
    return states


def test_a_preview_puts_an_event_in_its_place_among_those_that_wait() -> None:
    stream = Stream()
    stream.send(10_000, event("cart_add", 10_000))
    found = here(stream.partition.unsettled("shop", "v"))
    body = [event("product_view", 9_000), event("page_view", 8_000)]
    told = preview(body, RULES, found)
    assert [one["late"] for one in told] == [False, False]
    assert told[0]["before"]["open_session"]["started_ms"] == T0 + 10_000
    assert told[1]["after"]["open_session"]["started_ms"] == T0 + 8_000
    assert told[1]["after"]["current_stage"] == "intent"
    stream.send(11_000, *body)
    assert told[1]["after"] == live(stream)


def test_a_preview_of_a_late_order_converts_the_cart_and_leaves_out_what_is_taken_back() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.send(10_000, event("page_view", 10_000))
    stream.quiet(11_000, HOUR)
    assert ("cart_abandoned", 10_000 + 30 * MINUTE) in stream.signals()
    found = here(stream.partition.unsettled("shop", "v"))
    (told,) = preview([event("purchase", 5_000, order_id="o")], RULES, found)
    assert told["late"] is True
    assert told["before"]["cart"]["outcome"] == "abandoned"
    assert told["after"]["cart"] is None
    assert [one["kind"] for one in told["signals"]] == ["converted"]


def test_a_preview_builds_on_a_state_into_which_what_waits_was_folded() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    found = here(stream.partition.live_state("shop", "v"))
    (told,) = preview([event("cart_add", SECOND)], RULES, found)
    assert told["before"] == live(stream)
    assert (told["late"], told["after"]["current_stage"]) == (False, "intent")


def test_a_preview_of_an_event_that_was_admitted_is_a_duplicate_and_would_do_nothing() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "rest"))
    stream.quiet(SECOND, MINUTE)
    at = 2 * MINUTE
    stream.send(at, event("page_view", -1, "late"), event("page_view", at, "waits"))
    found = here(stream.partition.unsettled("shop", "v"))
    asked = [event("page_view", at + 1, name) for name in ("rest", "late", "waits", "new")]
    told = preview(asked, RULES, found)
    assert [one["duplicate"] for one in told] == [True, True, True, False]
    assert not any(one["late"] for one in told)
    assert [one["before"] == one["after"] for one in told] == [True, True, True, False]
    assert told[0]["signals"] == []
    assert told[0]["before"]["open_session"]["page_views"] == 2


def test_a_preview_of_an_event_twice_tells_the_second_as_a_duplicate() -> None:
    first, again = preview([event("cart_add", 0), event("cart_add", 0)], RULES, MemoryStates())
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert first["signals"]
    assert again["signals"] == []
    assert first["after"] == again["before"] == again["after"]


def test_a_preview_of_an_unknown_visitor_begins_with_nothing() -> None:
    told = preview([event("page_view", 0), event("page_view", HOUR, "b")], RULES, MemoryStates())
    assert told[0]["before"] is None
    assert told[1]["before"]["current_stage"] == "discovery"
