"""What is shown now, before anything settles, is what the oracle says of all that has come."""

from typing import Any

import msgspec
from hypothesis import given, settings

from schemas.event import Event
from schemas.rows import CartRow, SessionRow
from services.sessionizer.core.policy import SourceRules
from tests.oracle.compare import FREE
from tests.oracle.feed import Feed
from tests.oracle.oracle import judge
from tests.oracle.strategies import RULES, histories

UNRESOLVED = ("open", "abandoned")


def shown(row: SessionRow | CartRow | dict[str, Any] | None) -> dict[str, Any] | None:
    fields = msgspec.to_builtins(row)
    return fields and {name: value for name, value in fields.items() if name not in FREE}


@settings(max_examples=40, deadline=None)
@given(events=histories(("v", "v", "w")), rules=RULES)
def test_the_live_view_right_after_an_event_is_the_oracles(
    events: list[Event], rules: SourceRules
) -> None:
    feed, so_far = Feed(rules), list[Event]()
    for drawn in events:
        event = msgspec.structs.replace(drawn, cart_id="", user_id="", order_id="")
        so_far.append(event)
        feed.append(event.ts_ms, [event])
        rows = judge([e for e in so_far if e.visitor_id == event.visitor_id], rules, event.ts_ms)
        live = feed.partition.visitor("shop", event.visitor_id)
        session = next((row for row in rows.sessions if row.open), None)
        cart = next((row for row in rows.carts if row.outcome in UNRESOLVED), None)
        if live is None:
            assert (session, cart) == (None, None)
            continue
        assert shown(live["open_session"]) == shown(session)
        assert live["current_stage"] == (session.current_stage if session else "")
        if cart:
            assert shown(live["cart"]) == shown(cart)
