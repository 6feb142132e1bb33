"""Steps for where it happened: page, campaign, channel, and the shopper's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import channel, pages
from schemas.agent import read_agent
from schemas.masking import mask
from schemas.urls import Address, take_apart
from schemas.utm import read_query

if TYPE_CHECKING:
    from schemas.context import Context, Site
    from schemas.refusal import Refusal
    from schemas.wire import Draft

_CACHE_ENTRIES = 20_000
_Landing = tuple[str, str, str, dict[str, str], str]


def page(draft: Draft, ctx: Context) -> Refusal | None:
    """Fill path, page kind and campaign from ``url``, where the storefront did not say them."""
    url, path, kind, utm, _click = _landing(ctx.site, draft["url"])
    draft["url"] = url
    if path and "path" not in draft:
        draft["path"] = path
        draft.setdefault("page_kind", kind)
    if utm and "utm" not in draft:
        draft["utm"] = utm
    return None


def kind_of_path(draft: Draft, ctx: Context) -> Refusal | None:
    """Fill the page kind of a path that was sent without its kind, and mask the path."""
    path = draft["path"] = mask(draft["path"])
    if path and "page_kind" not in draft:
        draft["page_kind"] = pages.classify(path, ctx.site.page_paths)
    return None


def arrival(draft: Draft, ctx: Context) -> Refusal | None:
    """Fill the channel from campaign, click id and referrer."""
    site = ctx.site
    referrer = draft.get("referrer", "")
    click = _landing(site, draft["url"])[4] if "url" in draft else ""
    utm = draft.get("utm") or {}
    known = _memo(site, "arrival")
    key = (referrer, click, *utm.values()) if utm else (referrer, click)
    found = known.get(key)
    if found is None:
        address = take_apart(referrer) if referrer else Address("", "", "", "")
        found = address.url, channel.classify(utm, click, address.host, site.hosts)
        _keep(known, key, found)
    if referrer:
        draft["referrer"] = found[0]
    draft.setdefault("channel", found[1])
    return None


def machine(draft: Draft, _ctx: Context) -> Refusal | None:
    """Fill device, browser, system and ``bot`` from the user agent."""
    agent = draft.get("ua")
    if not agent:  # a browser key's request may come without the header
        return None
    device, browser, system, bot = read_agent(agent)
    draft.setdefault("device", device)
    draft.setdefault("browser", browser)
    draft.setdefault("os", system)
    if bot:
        draft["bot"] = True
    return None


def _landing(site: Site, url: str) -> _Landing:
    """Return what a URL alone says; the same object for the same URL."""
    known = _memo(site, "landing")
    found: _Landing | None = known.get(url)
    if found is None:
        address = take_apart(url)
        utm, click = read_query(address.query)
        kind = pages.classify(address.path, site.page_paths) if address.path else "other"
        found = (address.url, address.path, kind, utm, click)
        _keep(known, url, found)
    return found


def _memo(site: Site, name: str) -> dict[Any, Any]:
    return site.memo.setdefault(name, {})


def _keep(known: dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) >= _CACHE_ENTRIES:
        known.clear()
    known[key] = value
