"""Steps for privacy: consent, addresses, staff, and masking of what was typed in."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from schemas.masking import mask, mask_value
from schemas.memo import keep, recall
from schemas.refusal import Refusal, shown
from schemas.urls import is_within, take_apart

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from schemas.context import Context, Salts
    from schemas.wire import Draft

_KEPT_BITS = {4: 24, 6: 48}
_SAID = {"granted": True, "denied": False}
_HASH_PREFIX = "d-"
TEXTS = ("title", "name", "element")
"""Texts of the page: few of a shop's differ, and one of them may show who is logged in."""
TYPED_IN = {"survey": ("comment",), "form": ("error",), "error": ("message",)}


def address(draft: Draft, ctx: Context) -> Refusal | None:
    """Truncate the shopper's address to /24 or /48, and mark staff's by it."""
    told = draft.get("ip", "").strip()
    if not told:
        draft.pop("ip", None)
        return None
    parsed = _parsed(told)
    if parsed is None:
        message = f"ip {shown(told)} is no IPv4 or IPv6 address"
        return Refusal("invalid_field", "ip", message, draft["event_id"])
    if any(parsed in network for network in ctx.site.exclude_networks):
        draft["excluded"] = True
    draft["ip"] = truncated(parsed)
    return None


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def truncated(found: IPv4Address | IPv6Address) -> str:
    """Return the first address of the network, /24 or /48, that the address is in."""
    network = ip_network((found, _KEPT_BITS[found.version]), strict=False)
    return str(network.network_address)


def staff(draft: Draft, ctx: Context) -> Refusal | None:
    """Mark what the policy excludes by user and by host of the page."""
    site = ctx.site
    if site.exclude_users and not site.exclude_users.isdisjoint(
        (draft.get("user_id", ""), draft.get("visitor_id", ""))
    ):
        draft["excluded"] = True
    if site.exclude_hosts and is_within(take_apart(draft.get("url", "")).host, site.exclude_hosts):
        draft["excluded"] = True
    return None


def consent(draft: Draft, ctx: Context) -> Refusal | None:
    """Where analytics is denied: no user, a visitor of a day, no properties."""
    denied = denies(draft)
    draft["consent"] = {key: _SAID.get(value, value) for key, value in draft["consent"].items()}
    if not denied:
        return None
    if ctx.salts is None:
        message = "consent.analytics is denied, and there is no daily salt to hash the visitor with"
        return Refusal("invalid_field", "consent.analytics", message, draft["event_id"])
    basis = _basis(draft)
    for name in ("user_id", "properties"):
        draft.pop(name, None)
    if basis:
        draft["visitor_id"] = _of_the_day(ctx.salts, ctx, basis)
    draft["lasting"] = False
    return None


def denies(draft: Draft) -> bool:
    """Tell whether the shopper said no to being known."""
    return draft.get("consent", {}).get("analytics") in (False, "denied")


def _basis(draft: Draft) -> str:
    """Return what tells this shopper from others today; nothing for an order's webhook."""
    for name in ("visitor_id", "user_id"):
        if name in draft:
            return f"{name}\x1f{draft[name]}"
    if "ip" in draft or "ua" in draft:
        return f"agent\x1f{draft.get('ip', '')}\x1f{draft.get('ua', '')}"
    return ""


def _of_the_day(salts: Salts, ctx: Context, basis: str) -> str:
    """Return today's hash, or yesterday's while its session is open."""
    today = _hashed(salts.today, ctx.site.name, basis)
    if salts.yesterday and salts.continues:
        before = _hashed(salts.yesterday, ctx.site.name, basis)
        return before if salts.continues(before) else today
    return today


def _hashed(salt: bytes, source: str, basis: str) -> str:
    digest = hashlib.blake2b(f"{source}\x1f{basis}".encode(), key=salt[:64], digest_size=16)
    return _HASH_PREFIX + digest.hexdigest()


def properties(draft: Draft, _ctx: Context) -> Refusal | None:
    """Mask e-mails and card-like numbers in properties."""
    draft["properties"] = mask_value(draft["properties"])
    return None


def texts(draft: Draft, ctx: Context) -> Refusal | None:
    """Mask e-mails and card-like numbers in what a page shows."""
    known = ctx.texts
    for name in TEXTS:
        if name in draft:
            text = draft[name]
            masked = known.get(text) or recall(known, text)
            if masked is None:
                masked = mask(text)
                keep(known, text, masked)
            draft[name] = masked
    return None


def typed_in(draft: Draft, _ctx: Context) -> Refusal | None:
    """Mask what shoppers typed or were shown: comments, errors."""
    for name, fields in TYPED_IN.items():
        part = draft.get(name)
        for field in fields:
            if part and field in part:
                part[field] = mask(part[field])
    return None
