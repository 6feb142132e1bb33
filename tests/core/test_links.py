"""Links between visitors and ids, and orders along them, in whichever order they come."""

from schemas.event import Event
from services.sessionizer.core import links
from services.sessionizer.core.links import Alias
from services.sessionizer.core.policy import Links
from tests.core.streams import DAY, HOUR, MINUTE, SECOND, T0, Stream, event

RULES = Links()


def webhook(at: int, event_id: str = "hook", **fields: str) -> Event:
    """Return an order that names no visitor, as a payment provider would send it."""
    return event(
        "purchase", at, event_id, visitor="", origin="server", order_id="o", value=900, **fields
    )


def kinds(stream: Stream, visitor: str = "v") -> list[str]:
    return [kind for kind, _ in stream.signals(visitor)]


def test_a_webhook_that_knows_only_the_cart_converts_it_after_its_link() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0, cart_id="c"))
    stream.send(5 * SECOND, webhook(4_000, cart_id="c"))
    stream.quiet(6 * SECOND, HOUR)
    assert [cart["outcome"] for cart in stream.carts()] == ["converted"]
    assert kinds(stream) == ["converted"]


def test_a_webhook_that_comes_before_the_link_converts_the_cart_too() -> None:
    stream = Stream()
    stream.send(5 * SECOND, webhook(4_000, cart_id="c"))
    stream.send(8 * SECOND, event("cart_add", 1_000, cart_id="c"))
    stream.quiet(9 * SECOND, HOUR)
    assert kinds(stream) == ["converted"]


def test_a_webhook_that_knows_only_the_order_reaches_who_named_it() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.send(SECOND, event("payment_info", SECOND, order_id="o"))
    stream.send(5 * SECOND, webhook(4_000))
    stream.quiet(6 * SECOND, HOUR)
    assert kinds(stream) == ["converted"]


def test_the_laptop_that_pays_for_the_phones_cart_converts_it() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0, visitor="phone", user_id="u"))
    stream.send(MINUTE, event("page_view", MINUTE, visitor="laptop", user_id="u"))
    stream.send(
        2 * MINUTE,
        event("purchase", 2 * MINUTE, "paid", visitor="laptop", user_id="u", order_id="o", value=5),
    )
    stream.quiet(2 * MINUTE, HOUR)
    assert kinds(stream, "phone") == ["converted"]
    phone = [row for row in stream.rows["orders"].values() if row["visitor_id"] == "phone"]
    assert phone == []


def test_an_order_that_nobody_is_linked_to_is_counted_at_its_alias() -> None:
    stream = Stream()
    stream.send(0, webhook(0, cart_id="nobodys"))
    stream.quiet(SECOND, MINUTE)
    rows = list(stream.rows["orders"].values())
    assert [(row["visitor_id"], row["order_id"]) for row in rows] == [("cart:nobodys", "o")]


def test_an_order_is_sent_to_a_visitor_once_however_often_it_and_its_link_come() -> None:
    stream = Stream()
    for at in (0, 2_000, 4_000):
        stream.send(at, event("page_view", at, cart_id="c"))
        stream.send(at + 1_000, webhook(500, cart_id="c"))
    stream.quiet(5_000, MINUTE)
    assert [out.type for out in stream.forwards] == ["__link", "purchase"]
    assert stream.forwards[1].to == "v"


def test_links_go_once_a_utc_day() -> None:
    stream = Stream()
    midnight = DAY - T0 % DAY
    stream.quiet(midnight - HOUR - 10_000, midnight - HOUR)
    for at in (midnight - HOUR, midnight - 1, midnight):
        stream.send(at, event("page_view", at, user_id="u"))
    assert [out.ts_ms - T0 for out in stream.forwards] == [midnight - HOUR, midnight]


def test_an_order_is_not_sent_to_whom_it_names() -> None:
    stream = Stream()
    stream.send(0, event("purchase", 0, "paid", user_id="u", order_id="o", value=5))
    stream.quiet(SECOND, MINUTE)
    assert [(out.type, out.to) for out in stream.forwards] == [
        ("__link", "user:u"),
        ("__link", "order:o"),
        ("purchase", "user:u"),
    ]


def test_a_backend_that_knows_users_and_carts_only_has_its_cart_converted() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0, visitor="", user_id="u", cart_id="c"))
    stream.send(5 * SECOND, webhook(4_000, cart_id="c"))
    stream.quiet(6 * SECOND, HOUR)
    assert kinds(stream, "user:u") == ["converted"]


def test_over_eight_visitors_an_alias_is_shared_and_links_no_more() -> None:
    stream = Stream()
    for number in range(9):
        stream.send(number, event("cart_add", number, visitor=f"v{number}", user_id="guest"))
    stream.send(SECOND, webhook(SECOND, user_id="guest"))
    stream.quiet(SECOND, HOUR)
    assert {out.type for out in stream.forwards} == {"__link"}
    assert len([flag for _, flag in stream.flags() if flag == "shared_alias"]) == 10


def test_the_ninth_visitor_stops_an_order_that_eight_have_had() -> None:
    stream = Stream()
    for number in range(8):
        stream.send(number, event("page_view", number, visitor=f"v{number}", user_id="guest"))
    stream.send(SECOND, webhook(SECOND, user_id="guest"))
    stream.send(2 * SECOND, event("page_view", 2_000, visitor="v9", user_id="guest"))
    sent = [out.to for out in stream.forwards if out.type == "purchase"]
    assert sorted(sent) == [f"v{number}" for number in range(8)]
    assert ("hook", "shared_alias") in stream.flags()


def order(day: int) -> Event:
    return event("purchase", day * DAY, f"o{day}", visitor="", cart_id="c", order_id=f"o{day}")


def link(day: int, visitor: str = "v") -> Event:
    return links.link("shop", visitor, T0 + day * DAY, "cart:c")


def alias_on(day: int) -> Alias:
    alias = Alias()
    links.prune(alias, links.day_of(T0 + day * DAY), RULES)
    return alias


def test_an_order_reaches_links_of_thirty_days_before() -> None:
    for days, reached in ((30, 1), (31, 0)):
        alias = alias_on(0)
        links.add_link(alias, link(0), RULES)
        links.prune(alias, links.day_of(T0 + days * DAY), RULES)
        assert len(links.add_order(alias, order(days), RULES)[0]) == reached


def test_an_order_reaches_links_of_seven_days_after() -> None:
    for days, reached in ((7, 1), (8, 0)):
        alias = alias_on(0)
        links.add_order(alias, order(0), RULES)
        links.prune(alias, links.day_of(T0 + days * DAY), RULES)
        assert len(links.add_link(alias, link(days), RULES)[0]) == reached


def test_an_alias_is_forgotten_when_no_order_can_ask_for_it() -> None:
    alias = alias_on(0)
    links.add_link(alias, link(0), RULES)
    links.add_order(alias, order(0), RULES)
    last = links.expires_day(alias, RULES)
    assert links.prune(alias, last - 1, RULES)
    assert not links.prune(alias, last, RULES)


def test_an_alias_with_a_crowd_stays_small() -> None:
    alias = alias_on(0)
    for day in range(60):
        links.prune(alias, links.day_of(T0 + day * DAY), RULES)
        for number in range(50):
            links.add_link(alias, link(day, f"{day}-{number}"), RULES)
    assert len(alias.linked) <= 46 * 9
    assert max(mask.bit_length() for mask in alias.linked.values()) < 64


def test_an_alias_keeps_no_more_bytes_of_orders_than_fit() -> None:
    alias = alias_on(0)
    for number in range(100):
        big = event(
            "purchase", 0, f"o{number}", visitor="", cart_id="c", order_id="o", title="x" * 1000
        )
        links.add_order(alias, big, RULES)
    assert sum(len(kept.line) for kept in alias.orders) <= links.ORDER_BYTES
    assert alias.orders[-1].event_id == "o99"
    assert alias.orders[-1].line
    assert not alias.orders[0].line


def test_whom_an_order_no_longer_kept_would_reach_is_marked() -> None:
    stream = Stream()
    for number in range(20):
        at = number * SECOND
        stream.send(at, webhook(at, f"hook{number}", cart_id="c", title="x" * 1000))
    stream.send(30 * SECOND, event("page_view", 30 * SECOND, cart_id="c"))
    reached = {copy.event_id for copy in stream.forwards if copy.to == "v"}
    marked = {
        row["event_id"]
        for row in stream.rows["event_flags"].values()
        if row["visitor_id"] == "v" and row["flag"] == "shared_alias"
    }
    assert reached
    assert marked
    assert reached.isdisjoint(marked)
    assert reached | marked == {f"hook{number}" for number in range(20)}
