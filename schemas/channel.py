"""How a visit came: from its campaign parameters, click id, and referrer, in that order."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from schemas.referrers import by_host
from schemas.urls import is_within
from schemas.utm import CLICK_IDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.event import Channel

Site = Literal["search", "social", "video", "shopping"]

_MEDIA: dict[Channel, str] = {
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
_SITE = re.compile("|".join(get_args(Site)))
_SITES: dict[str, Site] = {site: site for site in get_args(Site)}
_PAID_AT: dict[Site, Channel] = {
    "search": "paid_search",
    "social": "paid_social",
    "video": "paid_video",
    "shopping": "paid_shopping",
}
_ORGANIC_AT: dict[Site, Channel] = {
    "search": "organic_search",
    "social": "organic_social",
    "video": "organic_video",
    "shopping": "organic_shopping",
}
_SITE_OF: dict[Channel, Site] = {channel: site for site, channel in _ORGANIC_AT.items()}
_ORGANIC = re.compile(r"organic|social|social[-_ ]?(network|media)|sm|video|search|shopping")
_SOURCES: dict[str, Site] = {
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


def classify(utm: Mapping[str, str], click: str, host: str, own: frozenset[str]) -> Channel:
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


def _of_campaign(medium: str, source: str, click: str) -> Channel:
    site = _site_of(source)
    if _PAID.fullmatch(medium):
        return _PAID_AT[site] if site else _paid_medium(medium)
    for channel, pattern in _MEDIUM.items():
        if pattern.fullmatch(medium):
            return channel
    if click and CLICK_IDS[click].startswith("paid"):
        return CLICK_IDS[click]
    if not medium or _ORGANIC.fullmatch(medium):
        site = _site_in(medium) or site or ("social" if medium else None)
        if site:
            return _ORGANIC_AT[site]
        return of_host(source) or _MEDIUM_OF_SOURCE.get(source, "campaign")
    return "campaign"


_MEDIUM_OF_SOURCE: dict[str, Channel] = {
    "newsletter": "email",
    "email": "email",
    "klaviyo": "email",
    "mailchimp": "email",
}


def _paid_medium(medium: str) -> Channel:
    site = _site_in(medium)
    if site:
        return _PAID_AT[site]
    return "display" if _MEDIUM["display"].fullmatch(medium) else "paid_other"


def _site_in(medium: str) -> Site | None:
    """Return the kind of site that a medium names first, None where it names none."""
    named = _SITE.search(medium)
    return _SITES[named[0]] if named else None


def _site_of(source: str) -> Site | None:
    """Return the kind of site a campaign source is, None for an unknown one."""
    if source in _SOURCES:
        return _SOURCES[source]
    channel = of_host(source)
    return _SITE_OF.get(channel) if channel else None


@cache
def _hosts() -> dict[str, Channel]:
    return by_host()


def of_host(host: str) -> Channel | None:
    """Return the channel of a known site by its host, None for an unknown one."""
    hosts = _hosts()
    while host:
        first, _, rest = host.partition(".")
        channel = hosts.get(host) or (hosts.get(first + ".") if rest.count(".") <= 1 else None)
        if channel:
            return channel
        host = rest
    return None
