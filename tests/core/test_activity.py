"""Which events come from the shopper, and what those that do not may do."""

from typing import get_args

import pytest

from schemas.event import EventType
from tests.core.shopper import MINUTE, SHOE, Shopper

PASSIVE = {
    *("page_leave", "performance", "error", "refund", "cancel", "identify"),
    *("email_open", "email_click", "support"),
}
BY_ORIGIN = {"purchase", "payment_info", "payment_failed", "survey_response"}
TYPES = get_args(EventType)


@pytest.mark.parametrize("kind", TYPES)
def test_only_an_active_event_opens_a_session(kind: str) -> None:
    shopper = Shopper()(kind, 0)
    assert (shopper.state.session is not None) == (kind not in PASSIVE)


@pytest.mark.parametrize("kind", TYPES)
def test_an_event_a_server_reports_is_active_unless_it_is_a_webhooks(kind: str) -> None:
    shopper = Shopper()(kind, 0, origin="server")
    assert (shopper.state.session is not None) == (kind not in PASSIVE | BY_ORIGIN)


@pytest.mark.parametrize("kind", TYPES)
def test_only_an_active_event_keeps_a_session_open(kind: str) -> None:
    shopper = Shopper()("scroll", 0)(kind, 29 * MINUTE).wait(31 * MINUTE)
    assert (shopper.state.session is not None) == (kind not in PASSIVE)


@pytest.mark.parametrize("kind", sorted(PASSIVE))
def test_a_passive_event_counts_as_an_event_but_not_as_an_interaction(kind: str) -> None:
    shopper = Shopper()("scroll", 0)(kind, 5).wait(HALF_AN_HOUR)
    row = shopper.sessions[-1]
    assert (row.events, row.interactions, row.ended_ms) == (2, 1, row.started_ms)


HALF_AN_HOUR = 30 * MINUTE


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_legal_in_every_state(kind: str) -> None:
    stories = [
        Shopper(),
        Shopper()("scroll", 0),
        Shopper()("cart_add", 0, products=[SHOE]),
        Shopper()("cart_add", 0, products=[SHOE]).wait(HALF_AN_HOUR),
        Shopper()("checkout_start", 0).wait(15 * MINUTE),
        Shopper()("cart_add", 0, products=[SHOE])("cart_update", 1, products=[]),
        Shopper()("purchase", 0),
        Shopper()("purchase", 0).wait(HALF_AN_HOUR),
    ]
    for shopper in stories:
        shopper(kind, HALF_AN_HOUR + 1).look()
        versions = [row.version for row in (*shopper.sessions, *shopper.carts, *shopper.signals)]
        assert len(set(versions)) == len(versions)
