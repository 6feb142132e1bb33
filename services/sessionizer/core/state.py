"""What the rules remember of a visitor, in as few bytes as they can.

Every struct is an array on the wire, so the *order* of the fields is the format: add at the end,
with a default. Nothing here is shared between visitors, and all of it survives encoding and
decoding between any two events. Ids of sessions and carts are kept as the 16 bytes of their UUID;
stages, page kinds, friction and outcomes as their places in the closed lists they come from.
"""

from functools import lru_cache
from typing import Final, get_args

from msgspec import Struct

from schemas.event import PageKind, Utm
from schemas.rows import Friction, Outcome

SECOND: Final = 1_000
NEVER: Final = 1 << 62
"""A time after every deadline."""

LONGEST_NAME: Final = 64
"""Characters kept of the name of a form or checkout step."""

_DIGITS: Final = 32
_PACKABLE: Final = frozenset((_DIGITS, 36))
_IS_HEX, _IS_UUID, _IS_TEXT = b"\0", b"\1", b"\2"

PAGE_KINDS: tuple[PageKind, ...] = get_args(PageKind)
FRICTIONS: tuple[Friction, ...] = get_args(Friction)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

OPEN: Final = OUTCOMES.index("open")
ABANDONED: Final = OUTCOMES.index("abandoned")
RECOVERED: Final = OUTCOMES.index("recovered")
LOST: Final = OUTCOMES.index("lost")
EMPTIED: Final = OUTCOMES.index("emptied")
CONVERTED: Final = OUTCOMES.index("converted")

# Marks of a session
KEY: Final = 1  # an active key event came: engaged
PRODUCT: Final = 2  # a product was looked at
BOUGHT: Final = 4  # a purchase was attached
CHECKOUT: Final = 8  # checkout was begun or continued in it (also a mark of carts)
PAST_BUYER: Final = 16  # when it began (also a mark of carts)
MACHINE: Final = 32  # too fast for a shopper: only counted from here on
TRUNCATED: Final = 64  # a bound of the state bit (also a mark of carts)

# Marks of a cart beside those above
COST_TOLD: Final = 1  # unexpected_cost, once an episode
WALL_TOLD: Final = 2  # account_wall, once an episode


# Ids of events take half the room as the bytes that their digits say.
def packed(event_id: str) -> bytes:
    """Return an id in few bytes: a mark, and the 16 that 32 digits or a UUID say, else its text."""
    size = len(event_id)
    if size in _PACKABLE:
        try:
            data = bytes.fromhex(event_id if size == _DIGITS else event_id.replace("-", ""))
        except ValueError:
            data = b""
        if data.hex() == event_id:
            return _IS_HEX + data
        if text(data) == event_id:
            return _IS_UUID + data
    return _IS_TEXT + event_id.encode()


def unpacked(kept: bytes) -> str:
    """Return the id that was packed."""
    mark, data = kept[:1], kept[1:]
    if mark == _IS_HEX:
        return data.hex()
    return text(data) if mark == _IS_UUID else data.decode()


class Page(Struct, frozen=True, array_like=True, gc=False):
    """One page of the open session; ``offset_ms`` counts from the session's start."""

    path: str
    kind: int
    category: str
    offset_ms: int


class Step(Struct, frozen=True, array_like=True, gc=False):
    """One place the shopper went to, for the patterns of going to and fro.

    Steps are numbered. ``page`` is its place in the session's pages; the path is kept only where
    it has none (-1).
    """

    number: int
    page: int
    offset_ms: int
    event_id: bytes
    path: str = ""


class Click(Struct, frozen=True, array_like=True, gc=False):
    """A click that may become the first or second of an angry three."""

    ts_ms: int
    path: str
    element: str
    x: float | None
    y: float | None
    viewport: str
    event_id: bytes


class Count(Struct, array_like=True, gc=False):
    """How often something happened, and the event it first happened with."""

    n: int
    event_id: str


class Line(Struct, frozen=True, array_like=True, gc=False):
    """One line of a cart: a product without the names of its fields."""

    product_id: str
    quantity: int
    price: int | None
    name: str
    category: str
    url: str
    image_url: str


class Dims(Struct, frozen=True, array_like=True, gc=False):
    """How a visit came and on what; replaced as a whole, so that a cart may keep the very one.

    ``special`` tells that a campaign, an experiment or one of the flags is to be written,
    ``complete`` that channel, device, browser, system and country are all known.
    """

    channel: str = ""
    first_channel: str = ""
    referrer: str = ""
    utm: Utm | None = None
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    bot: bool = False
    test: bool = False
    excluded: bool = False
    lasting: bool = True
    variants: dict[str, str] | None = None
    special: bool = False
    complete: bool = False


class Session(Struct, array_like=True, gc=False):
    """The open visit. ``burst`` counts its events in the UTC second of the newest one.

    ``page_engaged_ms`` is what page_leave events stated of the newest page, -1 for nothing;
    ``over_ms`` the offset of the first page that found no room in ``pages``, -1 for none, and
    ``exit_path`` then the newest one's path. ``turned`` and ``looped``
    are the numbers of the first step that former patterns have not used up; of the ``steps`` each
    leads back to the one before the last.
    """

    id: bytes
    start_ms: int
    last_ms: int
    dims: Dims
    marks: int = 0
    events: int = 0
    passives: int = 0
    burst: int = 1
    views: int = 0
    other_views: int = 0
    engaged_ms: int = 0
    current: int = -1
    reached: list[int] = []
    pages: list[Page] = []
    page_engaged_ms: int = -1
    over_ms: int = -1
    exit_path: str = ""
    page_bytes: int = 0
    cart: bytes = b""
    step: str = ""
    friction: list[int] = []
    stated: str = ""
    steps: list[Step] = []
    turned: int = 0
    looped: int = 0
    clicks: list[Click] | None = None
    forms: dict[str, Count] | None = None


class Cart(Struct, array_like=True, gc=False):
    """The newest episode, kept after its end for a late order until the visitor is idle.

    ``causes`` is how many of ``friction`` had been met when it was first abandoned.
    ``last_ms`` is set when it is resolved; before, the visitor's last active event counts.
    """

    id: bytes
    session: bytes
    opened_ms: int
    dims: Dims
    currency: str
    outcome: int = 0
    marks: int = 0
    client_id: str = ""
    url: str = ""
    lines: list[Line] = []
    size: int = 0
    stated_value: int | None = None
    steps: list[str] = []
    step_now: str = ""
    reentries: dict[str, Count] | None = None
    friction: list[int] = []
    causes: int = 0
    stated: str = ""
    last_ms: int = 0
    bucket_ms: int | None = None
    checkout_abandoned_ms: int | None = None
    cart_abandoned_ms: int | None = None
    abandoned_ms: int | None = None
    abandoned_value: int | None = None
    reopened_ms: int | None = None
    recovered_ms: int | None = None
    lost_ms: int | None = None
    emptied_ms: int | None = None
    converted_ms: int | None = None
    order_id: str = ""


class Visitor(Struct, array_like=True, gc=False):
    """All that is remembered of one visitor of one source.

    ``due_ms`` is never later than the next deadline; 0 means it must be worked out anew.
    ``active_ms`` is the last active event of the closed sessions (an open one knows its own),
    ``seen_ms`` the newest of these and of all passive events.
    ``orders`` holds pairs of an order id's hash and the order's time. ``lifetime`` is the set of
    stages touched, as bits.
    """

    source: str
    visitor_id: str
    due_ms: int = NEVER
    seen_ms: int = 0
    active_ms: int = 0
    user_id: str = ""
    consent: bool | None = None
    first_channel: str = ""
    lifetime: int = 0
    session: Session | None = None
    cart: Cart | None = None
    bought_ms: int | None = None
    orders: list[int] = []


def unresolved(v: Visitor) -> Cart | None:
    """Return the episode that is open or abandoned, where there is one."""
    cart = v.cart
    return cart if cart is not None and cart.outcome <= ABANDONED else None


def raw(uuid: str) -> bytes:
    """Return the 16 bytes of a UUID text."""
    return bytes.fromhex(uuid.replace("-", ""))


# Kept, for a session's rows and signals often come close together.
@lru_cache(maxsize=4096)
def text(uuid: bytes) -> str:
    """Return the text of 16 bytes, ``""`` for none."""
    if not uuid:
        return ""
    pairs = uuid.hex("-", 2)  # eight groups of four: three of the hyphens are too many
    return f"{pairs[:4]}{pairs[5:29]}{pairs[30:34]}{pairs[35:]}"
