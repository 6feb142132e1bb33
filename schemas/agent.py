"""What a user agent is: device class, browser, system, and whether a machine that says so.

Parser and crawler list are maintained packages (ua-parser, crawler-user-agents). Both cost far more
than the rest of an event, so answers are kept by user agent.
"""

from __future__ import annotations

import re
from functools import lru_cache

import crawleruseragents
import ua_parser

_LONGEST = 1_000
_TV = re.compile(
    r"smart-?tv|appletv|hbbtv|bravia|roku|googletv|android tv|tizen.*tv|web0s|aft[a-z]"
)
_TABLET = re.compile(r"ipad|tablet|kindle|silk|playbook|android(?!.*mobile)")
_MOBILE = re.compile(r"mobi|iphone|ipod|android|phone|blackberry|opera mini")
_DESKTOP = re.compile(r"windows|macintosh|mac os x|linux|x11|cros|bsd")


MACHINE = frozenset({"device", "browser", "os", "bot"})
"""What a user agent tells: ``device`` is desktop, mobile, tablet, tv or other."""


def read_agent(ua: str) -> dict[str, str | bool]:
    """Return the fields of ``MACHINE`` that are known; ``bot`` stands there only where it is one.

    The first 1,000 characters are looked at. The answer is kept: it is not to be changed.
    """
    return _read_agent(ua[:_LONGEST])


@lru_cache(maxsize=20_000)
def _read_agent(ua: str) -> dict[str, str | bool]:
    result = ua_parser.parse(ua)
    found: dict[str, str | bool] = {"device": _device(ua.lower())} if ua else {}
    if result.user_agent:
        found["browser"] = result.user_agent.family
    if result.os:
        found["os"] = result.os.family
    if crawleruseragents.is_crawler(ua):
        found["bot"] = True
    return found


def _device(lowered: str) -> str:
    for name, pattern in (("tv", _TV), ("tablet", _TABLET), ("mobile", _MOBILE)):
        if pattern.search(lowered):
            return name
    return "desktop" if _DESKTOP.search(lowered) else "other"
