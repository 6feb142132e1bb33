"""How a visit came: from its campaign parameters, click id, and referrer, in that order."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from schemas.referrers import by_host
from schemas.urls import is_within
from schemas.utm import CLICK_IDS

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (
    "direct",
    "internal",
    "paid_search",
    "organic_search",
    "paid_social",
    "organic_social",
    "paid_video",
    "organic_video",
    "paid_shopping",
    "organic_shopping",
    "display",
    "paid_other",
    "email",
    "sms",
    "push",
    "affiliate",
    "audio",
    "offline",
    "ai_assistant",
    "referral",
    "campaign",
)
"""Every channel Waymark gives; a storefront may send its own. ``internal``: from the shop itself
or back from a payment page, which begins no visit. ``campaign``: tagged, of a medium unknown."""

_MEDIA = {
    "email": r"e-?mail|e_mail|newsletter|mailing",
    "sms": r"sms|mms|whatsapp|rcs",
    "push": r"push|web_?push|notification|mobile",
    "affiliate": r"affiliates?|partner|partnerships?",
    "display": r"display|banner|expandable|interstitial|cpm|programmatic|native|retargeting",
    "audio": r"audio|podcast|radio",
    "offline": r"qr|qr_?code|print|flyer|offline|store|tv|postal|direct_?mail",
    "referral": r"referral|app|link",
    "ai_assistant": r"ai|ai_?assistant|llm|chatbot",
}
_MEDIUM = {channel: re.compile(pattern) for channel, pattern in _MEDIA.items()}
_PAID = re.compile(r".*(cp[acmv]|ppc|paid|sem\b|retargeting|adwords|\bads?\b).*|cpc|ppc")
_SITE = re.compile(r"(?P<kind>search|social|video|shopping)")
_ORGANIC = re.compile(r"organic|social|social[-_ ]?(network|media)|sm|video|search|shopping")
_SOURCES = {
    "google": "search",
    "bing": "search",
    "yahoo": "search",
    "yandex": "search",
    "baidu": "search",
    "duckduckgo": "search",
    "adwords": "search",
    "facebook": "social",
    "fb": "social",
    "meta": "social",
    "instagram": "social",
    "ig": "social",
    "tiktok": "social",
    "pinterest": "social",
    "linkedin": "social",
    "twitter": "social",
    "x": "social",
    "snapchat": "social",
    "reddit": "social",
    "youtube": "video",
    "vimeo": "video",
    "twitch": "video",
}
"""Campaign sources as marketers write them, by kind of site; hosts are looked up as referrers."""

_KIND = re.compile(r"organic_(search|social|video|shopping)")


def classify(utm: Mapping[str, str], click: str, host: str, own: frozenset[str]) -> str:
    """Return the channel of a page: how its visitor came to it.

    A campaign in its URL wins over a click id, which wins over the referrer: who tagged the link
    knows best. With none of them it is ``direct``. A referrer is ``internal`` where it is one of
    the shop's own hosts or below one: the hosts its operator has named (``waymark sources set``)
    and the page's own, each with and without ``www.``; back from a payment page is ``internal``
    too. A known search engine, network, mailbox, assistant and the like gives the channel of its
    kind, any other host ``referral``. A shop of several hosts should name them: from one to the
    other would be a referral.
    """
    medium, source = utm.get("medium", "").lower(), utm.get("source", "").lower()
    if medium or source or utm.get("campaign"):
        return _of_campaign(medium, source, click)
    if click:
        return CLICK_IDS[click]
    if not host:
        return "direct"
    return "internal" if is_within(host, own) else of_host(host) or "referral"


def _of_campaign(medium: str, source: str, click: str) -> str:
    site = _site_of(source)
    if _PAID.fullmatch(medium):
        return f"paid_{site}" if site else _paid_medium(medium)
    for channel, pattern in _MEDIUM.items():
        if pattern.fullmatch(medium):
            return channel
    if click and CLICK_IDS[click].startswith("paid"):
        return CLICK_IDS[click]
    if not medium or _ORGANIC.fullmatch(medium):
        named = _SITE.search(medium)
        kind = named["kind"] if named else site or ("social" if medium else "")
        return (
            f"organic_{kind}"
            if kind
            else of_host(source) or _MEDIUM_OF_SOURCE.get(source, "campaign")
        )
    return "campaign"


_MEDIUM_OF_SOURCE = {
    "newsletter": "email",
    "email": "email",
    "klaviyo": "email",
    "mailchimp": "email",
}


def _paid_medium(medium: str) -> str:
    named = _SITE.search(medium)
    if named:
        return f"paid_{named['kind']}"
    return "display" if _MEDIUM["display"].fullmatch(medium) else "paid_other"


def _site_of(source: str) -> str:
    """Return the kind of site a campaign source is: search, social, video, shopping or ``""``."""
    if source in _SOURCES:
        return _SOURCES[source]
    kind = _KIND.fullmatch(of_host(source))
    return kind[1] if kind else ""


@cache
def _hosts() -> dict[str, str]:
    return by_host()


def of_host(host: str) -> str:
    """Return the channel of a known site by its host, ``""`` for an unknown one."""
    hosts = _hosts()
    while host:
        first, _, rest = host.partition(".")
        channel = hosts.get(host) or (hosts.get(first + ".") if rest.count(".") <= 1 else None)
        if channel:
            return channel
        host = rest
    return ""
