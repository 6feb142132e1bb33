"""What a URL and a referrer say: path, page kind, campaign, channel, in any language."""

from collections.abc import Callable
from typing import get_args

import pytest

from schemas import channel, pages
from schemas.context import site
from schemas.event import Channel, Event, Utm
from schemas.referrers import by_host
from schemas.urls import plain_host, take_apart
from schemas.utm import CLICK_IDS

Accept = Callable[..., Event]
BASE = {"type": "page_view", "event_id": "e-1", "visitor_id": "v-1"}
OWN = frozenset({"shop.example"})


def test_a_url_alone_yields_path_kind_campaign_and_channel(accept: Accept) -> None:
    url = "https://shop.example/products/blue?utm_source=News&utm_medium=email&utm_campaign=fall"
    event = accept(BASE | {"url": url})
    assert event.url == url
    assert event.path == "/products/blue"
    assert event.page_kind == "product"
    assert event.utm == Utm(source="News", medium="email", campaign="fall")
    assert event.channel == "email"


def test_what_the_storefront_says_itself_is_believed(accept: Accept) -> None:
    event = accept(
        BASE
        | {
            "url": "https://shop.example/x?utm_source=google&utm_medium=cpc",
            "referrer": "https://www.bing.com/",
            "path": "/cart",
            "channel": "kiosk",
            "utm": {"source": "own"},
        }
    )
    assert (event.path, event.page_kind, event.channel) == ("/cart", "cart", "kiosk")
    assert event.utm == Utm(source="own")


def test_a_path_without_url_has_its_page_kind(accept: Accept) -> None:
    event = accept(BASE | {"path": "/checkout/payment"})
    assert (event.page_kind, event.channel) == ("checkout", "")


def test_an_event_without_a_page_has_no_channel(accept: Accept) -> None:
    event = accept({"type": "purchase", "event_id": "e-1", "order_id": "o-1", "origin": "server"})
    assert (event.path, event.page_kind, event.channel) == ("", None, "")


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://shop.example", "shop.example", "/"),
        ("https://www.Shop.example:8443/A/b/?q=1#top", "shop.example", "/A/b/"),
        ("/products/1?x=2", "", "/products/1"),
        ("?x=2", "", "/"),
        ("//shop.example/p/1", "shop.example", "/p/1"),
        ("https://shop.example/caf%C3%A9/%E5%95%86%E5%93%81", "shop.example", "/café/商品"),
        ("https://shop.example/café/商品", "shop.example", "/café/商品"),
        ("https://shop.example/%D9%85%D9%86%D8%AA%D8%AC", "shop.example", "/منتج"),
        ("https://shop.example/a%2Fb%20c%3F%25", "shop.example", "/a%2Fb%20c%3F%25"),
        ("https://shop.example/%FF%FE", "shop.example", "/%FF%FE"),
        ("https://xn--mnchen-3ya.example/", "münchen.example", "/"),
        ("https://münchen.example/", "münchen.example", "/"),
        ("https://[2001:db8::1]/p", "2001:db8::1", "/p"),
        ("https://[broken/p", "", ""),
        ("android-app://com.example/x", "com.example", ""),
    ],
)
def test_addresses_of_every_language_are_taken_apart(url: str, host: str, path: str) -> None:
    address = take_apart(url)
    assert (address.url, address.host, address.path) == (url, host, path)


def test_secrets_before_the_host_are_dropped() -> None:
    assert take_apart("https://jane:pw@shop.example/p").url == "https://shop.example/p"


def test_a_host_is_the_same_in_every_spelling() -> None:
    assert plain_host("WWW.XN--MNCHEN-3YA.example.:443") == "münchen.example"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "home"),
        ("/de", "home"),
        ("/en/", "home"),
        ("/collections/shoes", "category"),
        ("/collections/shoes/products/blue", "product"),
        ("/products/blue/", "product"),
        ("/product/blue", "product"),
        ("/Blue-Shoes/dp/B00X", "product"),
        ("/products", "category"),
        ("/search", "category"),
        ("/cart", "cart"),
        ("/de/warenkorb", "cart"),
        ("/checkout", "checkout"),
        ("/checkouts/cn/abc/information", "checkout"),
        ("/checkout/onepage/success/", "confirmation"),
        ("/checkout/order-received/123", "confirmation"),
        ("/thank-you", "confirmation"),
        ("/my-account/orders", "account"),
        ("/login", "account"),
        ("/pages/contact-us", "support"),
        ("/help/shipping", "support"),
        ("/blog/how-we-make-shoes", "other"),
        ("/商品/1", "other"),
    ],
)
def test_paths_of_common_shops_have_their_kind(path: str, kind: str) -> None:
    assert pages.classify(path, {}) == kind


def test_the_shops_own_patterns_win(accept: Accept) -> None:
    own = site("shop", page_paths={"product": ["/artikel/*"], "cart": ["/warenkorb/商品*"]})
    assert accept(BASE | {"url": "https://a.example/artikel/1"}, site=own).page_kind == "product"
    assert (
        accept(BASE | {"url": "https://a.example/warenkorb/商品/1"}, site=own).page_kind == "cart"
    )
    assert accept(BASE | {"url": "https://a.example/products/1"}, site=own).page_kind == "product"


@pytest.mark.parametrize(
    ("url", "referrer", "expected"),
    [
        ("/", "", "direct"),
        ("/", "https://shop.example/cart", "internal"),
        ("/", "https://de.shop.example/", "internal"),
        ("/", "https://www.paypal.com/checkoutnow", "internal"),
        ("/", "https://www.google.com/", "organic_search"),
        ("/", "https://www.google.co.uk/", "organic_search"),
        ("/", "https://duckduckgo.com/", "organic_search"),
        ("/", "https://yandex.ru/search", "organic_search"),
        ("/", "https://mail.google.com/mail", "email"),
        ("/", "https://l.facebook.com/", "organic_social"),
        ("/", "https://t.co/abc", "organic_social"),
        ("/", "https://www.youtube.com/watch", "organic_video"),
        ("/", "https://www.amazon.de/", "organic_shopping"),
        ("/", "https://chatgpt.com/", "ai_assistant"),
        ("/", "https://gemini.google.com/app", "ai_assistant"),
        ("/", "https://blog.example/post", "referral"),
        ("/", "https://notgoogle.example/", "referral"),
        ("/", "android-app://com.google.android.gm/", "email"),
        ("/?gclid=1", "https://www.google.com/", "paid_search"),
        ("/?gbraid=1", "", "paid_search"),
        ("/?wbraid=1", "", "paid_search"),
        ("/?msclkid=1", "", "paid_search"),
        ("/?ttclid=1", "", "paid_social"),
        ("/?fbclid=1", "https://l.facebook.com/", "organic_social"),
        ("/?fbclid=1&utm_source=fb&utm_medium=paid_social", "", "paid_social"),
        ("/?utm_source=google&utm_medium=cpc", "", "paid_search"),
        ("/?utm_source=facebook&utm_medium=cpc", "", "paid_social"),
        ("/?utm_source=youtube&utm_medium=cpv", "", "paid_video"),
        ("/?utm_source=somewhere&utm_medium=cpc", "", "paid_other"),
        ("/?utm_source=x&utm_medium=banner", "", "display"),
        ("/?utm_source=klaviyo&utm_medium=Email", "https://www.google.com/", "email"),
        ("/?utm_source=newsletter", "", "email"),
        ("/?utm_medium=sms", "", "sms"),
        ("/?utm_medium=push", "", "push"),
        ("/?utm_source=awin&utm_medium=affiliate", "", "affiliate"),
        ("/?utm_source=instagram&utm_medium=social", "", "organic_social"),
        ("/?utm_source=chatgpt.com", "", "ai_assistant"),
        ("/?utm_source=flyer&utm_medium=qr", "", "offline"),
        ("/?utm_campaign=spring", "", "campaign"),
    ],
)
def test_channels(accept: Accept, url: str, referrer: str, expected: str) -> None:
    event = accept(BASE | {"url": "https://shop.example" + url, "referrer": referrer})
    assert event.channel == expected


def test_every_channel_given_is_a_known_one() -> None:
    found = {channel.of_host(host) for host in by_host()} | set(CLICK_IDS.values())
    assert found <= set(get_args(Channel))


def test_a_hosts_name_below_an_own_one_is_own() -> None:
    assert channel.classify({}, "", "checkout.shop.example", OWN) == "internal"
    assert channel.classify({}, "", "myshop.example", OWN) == "referral"


@pytest.mark.parametrize(
    ("page", "referrer", "expected"),
    [
        ("https://shop.example/b", "https://shop.example/a", "internal"),
        ("https://www.shop.example/b", "https://shop.example/a", "internal"),
        ("https://shop.example/b", "https://www.shop.example:443/a", "internal"),
        ("https://магазин.example/b", "https://xn--80aairftm.example/a", "internal"),
        ("https://shop.example/b", "https://blog.shop.example/", "internal"),
        ("https://shop.example/b", "https://myshop.example/a", "referral"),
        ("https://shop.example/b", "https://www.google.com/", "organic_search"),
        ("https://shop.example/b?utm_medium=email", "https://shop.example/a", "email"),
        ("/b", "https://shop.example/a", "referral"),
        ("", "https://shop.example/a", "referral"),
    ],
)
def test_a_page_of_the_shop_is_no_referral_though_nobody_named_its_hosts(
    accept: Accept, page: str, referrer: str, expected: str
) -> None:
    nameless = site("shop", hosts=[])
    event = accept(BASE | {"url": page, "referrer": referrer}, site=nameless)
    assert event.channel == expected


def test_hosts_that_are_named_are_own_beside_that_of_the_page(accept: Accept) -> None:
    named = site("shop", hosts=["www.shop.example"])
    for referrer in ("https://shop.example/", "https://pay.other.example/"):
        page = BASE | {"url": "https://pay.other.example/", "referrer": referrer}
        assert accept(page, site=named).channel == "internal"
