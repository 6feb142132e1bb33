"""What must not reach the log: addresses, e-mails, card numbers, who said no."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.context import Context, Salts, site
from schemas.event import Consent, Event
from schemas.masking import mask, mask_value
from schemas.normalise import prepare
from schemas.refusal import Refusal

Accept = Callable[..., Event]
Refuse = Callable[..., Refusal]
Make = Callable[..., Context]
BASE = {"type": "page_view", "event_id": "e-1", "visitor_id": "v-1"}
DENIED = BASE | {"consent": {"analytics": False, "marketing": False}}
SALTS = Salts(b"today")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("[2001:db8::1]", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
    ],
)
def test_addresses_are_truncated(accept: Accept, told: str, kept: str) -> None:
    assert accept(BASE | {"ip": told}).ip == kept


def test_only_a_browsers_own_request_gives_address_agent_and_country(accept: Accept) -> None:
    request: dict[str, Any] = {"client_ip": "203.0.113.77", "ua": "Mozilla/5.0", "country": "de"}
    browser = accept(BASE, key="browser", **request)
    assert (browser.ip, browser.ua, browser.country) == ("203.0.113.0", "Mozilla/5.0", "DE")
    server = accept(BASE, key="server", **request)
    assert (server.ip, server.ua, server.country) == ("", "", "")
    told = accept(BASE | {"ip": "198.51.100.9", "country": "fr"}, key="browser", **request)
    assert (told.ip, told.country) == ("198.51.100.0", "FR")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("jane.doe+x@mail.example.co.uk", "(email)"),
        ("to jane@example.com, thanks", "to (email), thanks"),
        ("/reset?email=jane%40example.com&a=1", "/reset?email=(email)&a=1"),
        ("/reset?email=jane%2540example.com", "/reset?email=(email)"),
        ("пётр@пример.рф", "(email)"),
        ("jane@münchen.de", "(email)"),
        ("https://medium.com/@jane", "https://medium.com/@jane"),
        ("npm/pkg@1.2.3", "npm/pkg@1.2.3"),
        ("4111111111111111", "(card)"),
        ("4111 1111 1111 1111", "(card)"),
        ("4111-1111-1111-1111.", "(card)."),
        ("pay?n=5555555555554444&x=1", "pay?n=(card)&x=1"),
        ("n=4111%201111%201111%201111", "n=(card)"),
        ("n=4111+1111+1111+1111", "n=(card)"),
        ("378282246310005 and 6011111111111117", "(card) and (card)"),
        ("4111111111111111-20", "(card)-20"),
        ("12 4111111111111111", "12 (card)"),
        ("4222222222222", "(card)"),
        ("4111111111111112", "4111111111111112"),
        ("4006381333931", "4006381333931"),
        ("1795255200000", "1795255200000"),
        ("+49 30 1234567", "+49 30 1234567"),
    ],
)
def test_emails_and_card_numbers_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_properties_are_masked_at_every_depth() -> None:
    given = {"a": [{"b": "jane@example.com"}, 4111111111111111, 5.5, True, None], "j@x.com": 1}
    assert mask_value(given) == {"a": [{"b": "(email)"}, "(card)", 5.5, True, None], "(email)": 1}


def test_every_url_of_an_event_is_masked(accept: Accept) -> None:
    url = "https://shop.example/u/jane@example.com?card=4111111111111111"
    masked = "https://shop.example/u/(email)?card=(card)"
    event = accept(
        BASE
        | {
            "url": url,
            "referrer": url,
            "cart_url": url,
            "products": [{"product_id": "a", "url": url, "image_url": url}],
        }
    )
    assert event.products
    line = event.products[0]
    assert [event.url, event.referrer, event.cart_url, line.url, line.image_url] == [masked] * 5
    assert event.path == "/u/(email)"


def test_campaigns_and_told_paths_are_masked(accept: Accept) -> None:
    event = accept(
        BASE
        | {
            "url": "https://shop.example/?utm_campaign=jane%40example.com",
            "path": "/u/jane@example.com",
        }
    )
    assert event.path == "/u/(email)"
    assert event.utm
    assert event.utm.campaign == "(email)"


def test_what_shoppers_typed_is_masked(accept: Accept) -> None:
    event = accept(
        BASE
        | {
            "survey": {"kind": "open", "comment": "call jane@example.com"},
            "form": {"error": "4111111111111111 is refused"},
            "error": {"message": "jane@example.com exists"},
        }
    )
    assert event.survey
    assert event.form
    assert event.error
    assert event.survey.comment == "call (email)"
    assert event.form.error == "(card) is refused"
    assert event.error.message == "(email) exists"


def test_denied_consent_leaves_a_visitor_of_the_day(accept: Accept) -> None:
    event = accept(DENIED | {"user_id": "u-1", "properties": {"k": 1}, "plan": "x"}, salts=SALTS)
    assert event.consent == Consent(analytics=False, marketing=False)
    assert (event.user_id, event.properties, event.lasting) == ("", {}, False)
    assert event.visitor_id == "d-ff0ec842d56ca15d926d571822b57e77"
    again = accept(DENIED, salts=SALTS)
    tomorrow = accept(DENIED, salts=Salts(b"tomorrow"))
    other = accept(DENIED | {"visitor_id": "v-2"}, salts=SALTS)
    elsewhere = accept(DENIED, salts=SALTS, site=site("other"))
    assert again.visitor_id == event.visitor_id
    assert len({e.visitor_id for e in (event, tomorrow, other, elsewhere)}) == 4


def test_consent_may_be_told_in_words(accept: Accept) -> None:
    told = {"analytics": "denied", "marketing": "granted"}
    event = accept(BASE | {"consent": told}, salts=SALTS)
    assert event.consent == Consent(analytics=False, marketing=True)
    assert not event.lasting


def test_granted_consent_changes_nothing(accept: Accept) -> None:
    event = accept(BASE | {"user_id": "u-1", "consent": {"analytics": True}})
    assert (event.visitor_id, event.user_id, event.lasting) == ("v-1", "u-1", True)


def test_yesterdays_hash_stays_while_its_session_is_open(accept: Accept) -> None:
    before = accept(DENIED, salts=Salts(b"day 1")).visitor_id
    asked: list[str] = []

    def continues(visitor: str) -> bool:
        asked.append(visitor)
        return True

    now = accept(DENIED, salts=Salts(b"day 2", b"day 1", continues)).visitor_id
    assert now == before
    assert asked == [before]
    closed = accept(DENIED, salts=Salts(b"day 2", b"day 1", lambda _visitor: False)).visitor_id
    assert closed == accept(DENIED, salts=Salts(b"day 2")).visitor_id != before


def test_a_shopper_without_any_id_is_known_for_a_day_by_address_and_agent(
    accept: Accept, refuse: Refuse
) -> None:
    item = {"type": "page_view", "event_id": "e-1", "consent": {"analytics": False}}
    request: dict[str, Any] = {"key": "browser", "salts": SALTS, "ua": "Mozilla/5.0"}
    one = accept(item, client_ip="203.0.113.77", **request)
    two = accept(item, client_ip="203.0.113.78", **request)
    assert one.visitor_id.startswith("d-")
    assert one.visitor_id != two.visitor_id
    assert one.ip == two.ip == "203.0.113.0"
    assert refuse(item, salts=SALTS).code == "missing_id"


def test_denied_consent_without_a_salt_is_refused(refuse: Refuse) -> None:
    assert refuse(DENIED).field == "consent.analytics"


def test_what_was_denied_stands_nowhere_in_the_line(make: Make) -> None:
    item = (
        b'{"type":"page_view","event_id":"e-1","visitor_id":"visitor-77","user_id":"user-77",'
        b'"ip":"203.0.113.77","consent":{"analytics":false},"properties":{"secret":"s-77"}}'
    )
    ready = prepare(item, make(salts=SALTS))
    assert not isinstance(ready, Refusal)
    assert b"77" not in ready.line


def test_staff_is_marked_by_address_user_and_host(accept: Accept) -> None:
    staffed = site(
        "shop",
        exclude_addresses=["203.0.113.0/24", "2001:db8::1"],
        exclude_users=["boss"],
        exclude_hosts=["staging.shop.example"],
    )

    def excluded(**fields: str) -> bool:
        return accept(BASE | fields, site=staffed).excluded

    assert excluded(ip="203.0.113.77")
    assert excluded(ip="2001:db8::1")
    assert excluded(user_id="boss")
    assert excluded(url="https://www.staging.shop.example/cart")
    assert not excluded(ip="203.0.114.77", user_id="bossy", url="https://shop.example/")
    assert not accept(BASE | {"user_id": "boss"}).excluded


def test_keys_leave_their_marks(accept: Accept) -> None:
    order = {"type": "purchase", "event_id": "e-1", "visitor_id": "v-1", "order_id": "o-1"}
    assert accept(order, key="test").test
    assert not accept(order, key="server", provisional_orders=True).provisional
    assert accept(order, key="browser", provisional_orders=True).provisional
    assert not accept(order, key="browser").provisional
    assert not accept(BASE, key="browser", provisional_orders=True).provisional


def test_a_browser_cannot_claim_to_be_the_shops_server(accept: Accept) -> None:
    order = BASE | {"type": "purchase", "order_id": "o-1", "origin": "server"}
    assert accept(order, key="browser").origin == "client"
    assert accept(order, key="server").origin == "server"
    assert accept(order, key="test").origin == "server"
