"""What a user agent is: device class, browser, system, and whether a machine that says so.

Parser and crawler list are maintained packages (ua-parser, crawler-user-agents). Both cost far more
than the rest of an event, so answers are kept by user agent.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import crawleruseragents
import ua_parser

_LONGEST = 1_000
_TV = re.compile(
    r"smart-?tv|appletv|hbbtv|bravia|roku|googletv|android tv|tizen.*tv|web0s|aft[a-z]"
)
_TABLET = re.compile(r"ipad|tablet|kindle|silk|playbook|android(?!.*mobile)")
_MOBILE = re.compile(r"mobi|iphone|ipod|android|phone|blackberry|opera mini")
_DESKTOP = re.compile(r"windows|macintosh|mac os x|linux|x11|cros|bsd")


class Agent(NamedTuple):
    """``device`` is desktop, mobile, tablet, tv or other; texts are ``""`` where unknown."""

    device: str
    browser: str
    os: str
    bot: bool


NOBODY = Agent("", "", "", bot=False)


@lru_cache(maxsize=20_000)
def read_agent(ua: str) -> Agent:
    """Return what a user agent says of itself; the first 1,000 characters are looked at."""
    ua = ua[:_LONGEST]
    result = ua_parser.parse(ua)
    browser = result.user_agent.family if result.user_agent else ""
    system = result.os.family if result.os else ""
    bot = crawleruseragents.is_crawler(ua)
    return Agent(_device(ua.lower()), browser, system, bot)


def _device(lowered: str) -> str:
    for name, pattern in (("tv", _TV), ("tablet", _TABLET), ("mobile", _MOBILE)):
        if pattern.search(lowered):
            return name
    return "desktop" if _DESKTOP.search(lowered) else "other"
