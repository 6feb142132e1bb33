"""User agents: device, browser, system, machines."""

from collections.abc import Callable

import pytest

from schemas.event import Event

Accept = Callable[..., Event]
BASE = {"type": "page_view", "event_id": "e-1", "visitor_id": "v-1"}
KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
SAFARI = "Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("ua", "device", "browser", "system"),
    [
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/141.0.0.0 Safari/537.36",
            "desktop",
            "Chrome",
            "Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
            "desktop",
            "Firefox",
            "Mac OS X",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) {APPLE} Version/17.1 {SAFARI}",
            "mobile",
            "Mobile Safari",
            "iOS",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {KIT} Chrome/141.0.0.0 Mobile Safari/537.36",
            "mobile",
            "Chrome Mobile",
            "Android",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 14; SM-X710) {KIT} Chrome/141.0.0.0 Safari/537.36",
            "tablet",
            "Chrome",
            "Android",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) {APPLE} Version/12.1 {SAFARI}",
            "tablet",
            "Mobile Safari",
            "iOS",
        ),
        (
            f"Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) {KIT} Version/7.0 TV Safari/537.36",
            "tv",
            "Safari",
            "Tizen",
        ),
    ],
)
def test_shoppers_machines(accept: Accept, ua: str, device: str, browser: str, system: str) -> None:
    event = accept(BASE | {"ua": ua})
    assert (event.device, event.browser, event.os, event.bot) == (device, browser, system, False)
    assert event.ua == ua


@pytest.mark.parametrize(
    "ua",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
        "python-requests/2.32.3",
        f"Mozilla/5.0 (X11; Linux x86_64) {KIT} HeadlessChrome/141.0.0.0 Safari/537.36",
    ],
)
def test_machines_that_say_so_are_bots(accept: Accept, ua: str) -> None:
    assert accept(BASE | {"ua": ua}).bot


def test_what_the_storefront_says_of_the_machine_is_believed(accept: Accept) -> None:
    event = accept(BASE | {"ua": "Googlebot/2.1", "device": "kiosk", "bot": False})
    assert (event.device, event.bot) == ("kiosk", True)
    assert accept(BASE | {"bot": True}).bot


def test_an_agent_nobody_knows_is_no_error(accept: Accept) -> None:
    assert accept(BASE | {"ua": "Å" * 3_000}).device == "other"
    assert accept(BASE | {"ua": ""}).device == ""


def test_measures_survive(accept: Accept) -> None:
    event = accept(BASE | {"x": 0, "y": 1, "scroll_depth": 75, "country": "xx"})
    assert (event.x, event.y, event.scroll_depth, event.country) == (0, 1, 0.75, "")
    assert accept(BASE | {"scroll_depth": 0.5}).scroll_depth == 0.5
