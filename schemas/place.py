"""Steps for where it happened: page, campaign, channel, and the shopper's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import channel, pages
from schemas.agent import read_agent
from schemas.masking import mask
from schemas.memo import keep, recall
from schemas.splice import tail_of
from schemas.urls import Address, take_apart
from schemas.utm import read_query

if TYPE_CHECKING:
    from schemas.context import Context, Site
    from schemas.refusal import Refusal
    from schemas.wire import Draft

_Landing = tuple[dict[str, Any], str, str]
_NOWHERE = Address("", "", "", "")
_PLACES: tuple[str, ...] = ("url", "referrer")

TOLD = frozenset({"path", "page_kind", "utm", "channel"})
"""What a storefront may say itself of a page; then it is believed."""


def page(draft: Draft, ctx: Context) -> Refusal | None:
    """Fill path, page kind, campaign and channel from ``url`` and ``referrer``."""
    key = draft.get("url"), draft.get("referrer")
    known = ctx.pages.get(key) or recall(ctx.pages, key)
    if known is None:
        found = _page(ctx.site, key[0] or "", key[1] or "", {})
        given = {name: draft[name] for name in _PLACES if name in draft}
        known = found, tail_of(found, given)
        keep(ctx.pages, key, known, f"{key[0]}{key[1]}")
    draft.update(known[0])
    return None


def page_as_told(draft: Draft, ctx: Context) -> Refusal | None:
    """Do as ``page``, where the storefront says some of it itself."""
    site = ctx.site
    told = {key: draft[key] for key in TOLD if key in draft}
    if "path" in told:
        told["path"] = mask(told["path"])
        told.setdefault("page_kind", _kind(site, told["path"]))
    if "utm" in told:
        told["utm"] = {key: mask(value) for key, value in told["utm"].items()}
    found = _page(site, draft.get("url", ""), draft.get("referrer", ""), told.get("utm", {}))
    draft.update(found)
    draft.update(told)
    return None


def _page(site: Site, url: str, referrer: str, utm: dict[str, str]) -> dict[str, Any]:
    """Return the fields that a URL and a referrer give; masked they stand among them."""
    landing, click, host = _landing(site, url) if url else ({}, "", "")
    found = dict(landing)
    utm = utm or landing.get("utm", {})
    before = _referrer(site, referrer) if referrer else _NOWHERE
    if referrer:
        found["referrer"] = before.url
    if url or referrer or utm:
        found["channel"] = channel.classify(utm, click, before.host, site.hosts | {host})
    return found


def _referrer(site: Site, referrer: str) -> Address:
    known = site.memo["referrer"]
    found: Address | None = known.get(referrer) or recall(known, referrer)
    if found is None:
        found = take_apart(referrer)
        keep(known, referrer, found)
    return found


def _kind(site: Site, path: str) -> str:
    known = site.memo["kind"]
    found: str | None = known.get(path) or recall(known, path)
    if found is None:
        found = pages.classify(path, site.page_paths)
        keep(known, path, found)
    return found


def _landing(site: Site, url: str) -> _Landing:
    """Return what a URL alone says, its click id's name, and its host; for one URL the same."""
    known = site.memo["landing"]
    found: _Landing | None = known.get(url) or recall(known, url)
    if found is None:
        address = take_apart(url)
        utm, click = read_query(address.query)
        fields: dict[str, Any] = {"url": address.url}
        if address.path:
            fields["path"] = address.path
            fields["page_kind"] = _kind(site, address.path)
        if utm:
            fields["utm"] = utm
        found = fields, click, address.host
        keep(known, url, found)
    return found


def stored_url(site: Site, url: str) -> str:
    """Return a URL as it may be stored: masked."""
    known = site.memo["url"]
    found: str | None = known.get(url) or recall(known, url)
    if found is None:
        found = take_apart(url).url
        keep(known, url, found)
    return found


def cart_url(draft: Draft, _ctx: Context) -> Refusal | None:
    """Mask the cart's URL."""
    draft["cart_url"] = take_apart(draft["cart_url"]).url
    return None


def machine(draft: Draft, ctx: Context) -> Refusal | None:
    """Fill device, browser, system and ``bot`` from the user agent."""
    ua = draft.get("ua")
    if not ua:  # a browser key's request may come without the header
        return None
    known = ctx.agents.get(ua) or recall(ctx.agents, ua)
    if known is None:
        found = read_agent(ua)
        known = found, tail_of(found)
        keep(ctx.agents, ua, known)
    draft.update(known[0])
    return None


def machine_as_told(draft: Draft, _ctx: Context) -> Refusal | None:
    """Do as ``machine``, where the storefront says some of it itself."""
    found = read_agent(draft.get("ua", ""))
    for key, value in found.items():
        draft.setdefault(key, value)
    if found.get("bot"):
        draft["bot"] = True
    return None
