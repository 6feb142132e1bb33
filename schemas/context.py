"""What normalisation is told beside the item: of the source, of the request, and what to count."""

from collections import defaultdict
from collections.abc import Callable
from datetime import tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field
from msgspec.structs import force_setattr

from schemas.clocks import EARLIEST_MS, skew
from schemas.refusal import Warned
from schemas.spans import HOUR_MS
from schemas.urls import plain_host

KeyKind = Literal["server", "browser", "test"]
LIVE_MAX_AGE_MS = 72 * HOUR_MS
"""DESIGN, *Time*: older events are history, which has its own way in."""


_NO_PAGE = (None, None)
_NOTHING: tuple[dict[str, Any], bytes] = ({}, b"")


class Site(Struct, frozen=True, kw_only=True, eq=False):
    """A source as normalisation needs it; made once, kept while its settings stand.

    ``hosts`` are its own, ``page_paths`` its page kinds (kind to path patterns, which win over
    the defaults), the ``exclude_*`` its staff: networks in CIDR form, user ids, hosts.
    ``memo`` holds answers that depend on nothing else than the site and their key.
    """

    name: str
    currency: str = "USD"
    hosts: frozenset[str] = frozenset()
    zone: tzinfo = ZoneInfo("UTC")
    page_paths: dict[str, list[str]] = {}
    exclude_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    exclude_users: frozenset[str] = frozenset()
    exclude_hosts: frozenset[str] = frozenset()
    memo: dict[str, dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))


class Salts(Struct, frozen=True):
    """Secrets of the UTC day received, under which visitors without consent are hashed.

    ``continues`` tells of yesterday's hash whether its session is still open; then it stays.
    """

    today: bytes
    yesterday: bytes = b""
    continues: Callable[[str], bool] | None = None


class Tally(Struct):
    """What one request or file counts: equal events without an id, and warnings given."""

    occurrences: dict[bytes, int] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)


class Context(Struct, frozen=True, kw_only=True):
    """One request (or file). Times are epoch milliseconds; ``client_ip`` and ``ua`` are whole.

    ``sent_ms`` is the client's clock when it sent; ``max_age_ms`` None takes history of any age.
    ``client_ip``, ``ua`` and ``country`` of a ``browser`` key are the shopper's; of others they
    are not looked at. ``new_id`` makes a random id. ``provisional_orders``: orders of a browser
    key wait for a server's copy. The fields from ``oldest_ms`` on are worked out, not given.
    """

    site: Site
    received_ms: int
    new_id: Callable[[], str]
    sent_ms: int | None = None
    client_ip: str = ""
    ua: str = ""
    country: str = ""
    key: KeyKind = "server"
    provisional_orders: bool = False
    salts: Salts | None = None
    max_age_ms: int | None = LIVE_MAX_AGE_MS
    tally: Tally = field(default_factory=Tally)
    oldest_ms: int = 0
    ahead_ms: int = 0
    stamp: dict[str, str | int] = {}
    stamp_tail: bytes = b""
    plans: dict[tuple[str, ...], Any] = {}
    pages: dict[Any, Any] = {}
    agents: dict[Any, Any] = {}
    texts: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Work out once what every event of the request asks."""
        memo = self.site.memo
        stamp: dict[str, str | int] = {"source": self.site.name, "received_ms": self.received_ms}
        ahead = 0
        if self.sent_ms is not None:
            stamp["sent_ms"] = self.sent_ms
            ahead = skew(self.sent_ms, self.received_ms)
        age = self.max_age_ms
        force_setattr(self, "oldest_ms", EARLIEST_MS if age is None else self.received_ms - age)
        force_setattr(self, "ahead_ms", ahead)
        force_setattr(self, "stamp", stamp)
        force_setattr(self, "plans", memo[self.key])
        # An event without a page or without an agent gets nothing of either.
        memo["page"].setdefault(_NO_PAGE, _NOTHING)
        memo["agent"].setdefault(None, _NOTHING)
        force_setattr(self, "pages", memo["page"])
        force_setattr(self, "agents", memo["agent"])
        force_setattr(self, "texts", memo["text"])
        force_setattr(self, "stamp_tail", b"," + msgspec.json.encode(stamp)[1:-1])


def site(
    name: str,
    *,
    currency: str = "USD",
    hosts: list[str] | None = None,
    timezone: str = "UTC",
    page_paths: dict[str, list[str]] | None = None,
    exclude_addresses: list[str] | None = None,
    exclude_users: list[str] | None = None,
    exclude_hosts: list[str] | None = None,
) -> Site:
    """Return a source's ``Site`` from plain settings.

    Raises ``ValueError`` for an address that is no network and ``ZoneInfoNotFoundError`` for an
    unknown time zone.
    """
    return Site(
        name=name,
        currency=currency,
        hosts=frozenset(map(plain_host, hosts or ())),
        zone=ZoneInfo(timezone),
        page_paths=page_paths or {},
        exclude_networks=tuple(ip_network(text, strict=False) for text in exclude_addresses or ()),
        exclude_users=frozenset(exclude_users or ()),
        exclude_hosts=frozenset(map(plain_host, exclude_hosts or ())),
    )
