"""Visitor histories for Hypothesis: realistic in kind, nasty in timing.

Times step by amounts that sit on, just under and just over every limit of the rules; ids, carts,
users and orders come from pools so small that they meet. Ids do not sort as times do.
"""

from typing import Any, cast

from hypothesis import strategies as st

from schemas.event import Consent, Event, EventType, Form, Perf, Product, Survey, Utm
from services.sessionizer.core.policy import Bots, Cart, PathStage, Policy, Session, SourceRules

START = 1_772_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

SHORT = [0, 1, 300, 700, 1_000, 4_999, 5_000, 10_000, 10_001, 20_000, 45_000]
LONG = [15 * MINUTE, 30 * MINUTE, 29 * MINUTE, HOUR, 24 * HOUR - 60_000, 24 * HOUR]
LONGER = [7 * DAY - 30 * MINUTE, 7 * DAY, 8 * DAY, 31 * DAY, 364 * DAY]
EDGES = [-1, 0, 1]

CALM = SourceRules()
STRICT = SourceRules(
    policy=Policy(
        version=7,
        session=Session(max_pages=3, bounce="single_page"),
        bots=Bots(per_second=4, per_session=12),
        cart=Cart(idle_ms=20 * MINUTE, checkout_idle_ms=20 * MINUTE, recovery_ms=HOUR),
        stage_of_path=[
            PathStage(pattern="/p/*", stage="discovery"),
            PathStage(pattern="/b", stage=None),
        ],
    ),
    currency="JPY",
)


def _steps() -> st.SearchStrategy[int]:
    short = st.sampled_from(SHORT)
    edge = st.builds(int.__add__, st.sampled_from(LONG), st.sampled_from(EDGES))
    far = st.builds(int.__add__, st.sampled_from(LONGER), st.sampled_from(EDGES))
    return st.one_of(short, short, short, short, edge, edge, far)


STEPS_IN_TIME = _steps()
"""Time from one event to the next; short ones prevail, as in a visit."""


PRODUCTS = st.lists(
    st.builds(
        Product,
        product_id=st.sampled_from(["a", "b", "c"]),
        name=st.sampled_from(["", "Tea", "Cup"]),
        category=st.sampled_from(["", "kitchen"]),
        price=st.sampled_from([None, 100, 1999, 2000]),
        quantity=st.sampled_from([1, 1, 2, 0]),
    ),
    max_size=3,
)
MAYBE_PRODUCTS = st.one_of(st.none(), PRODUCTS)
VALUES = st.sampled_from([None, None, 100, 2000, 2100, 2101, 2201, 4000])
CURRENCIES = st.sampled_from(["", "", "", "USD", "EUR", "JPY", "KWD"])
PATHS = st.sampled_from(["", "/", "/a", "/b", "/p/1", "/p/2"])
KINDS = ["home", "category", "product", "cart", "checkout", "confirmation", "account", "support"]
PAGE_KINDS = st.sampled_from([None, "other", *KINDS])
STEPS = st.sampled_from(["", "address", "shipping", "payment"])
ORIGINS = st.sampled_from(["client", "client", "server"])

COMMON: dict[str, st.SearchStrategy[Any]] = {
    "path": PATHS,
    "origin": ORIGINS,
    "currency": CURRENCIES,
}
SHOPPING = COMMON | {
    "products": MAYBE_PRODUCTS,
    "value": VALUES,
    "cart_url": st.sampled_from(["", "https://shop.example/cart/1"]),
}
VARIANTS: list[dict[str, str]] = [{}, {}, {"e": "a"}, {"e": "b", "f": "c"}]
DIMENSIONS: dict[str, st.SearchStrategy[Any]] = {
    "channel": st.sampled_from(["", "", "direct", "email", "paid_search"]),
    "referrer": st.sampled_from(["", "https://search.example/"]),
    "utm": st.sampled_from([None, None, Utm(source="n", campaign="spring")]),
    "device": st.sampled_from(["", "mobile", "desktop"]),
    "browser": st.sampled_from(["", "", "Firefox"]),
    "os": st.sampled_from(["", "", "Linux"]),
    "country": st.sampled_from(["", "", "DE", "FR"]),
    "variants": st.sampled_from(VARIANTS),
    "bot": st.sampled_from([*[False] * 7, True]),
    "test": st.sampled_from([*[False] * 7, True]),
    "excluded": st.sampled_from([*[False] * 7, True]),
    "lasting": st.sampled_from([*[True] * 7, False]),
}
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "page_view": {
        "path": PATHS,
        "page_kind": PAGE_KINDS,
        "products": MAYBE_PRODUCTS,
        **DIMENSIONS,
    },
    "page_leave": {"path": PATHS, "engaged_ms": st.sampled_from([None, 4_000, 10_000, 10_001])},
    "click": {
        "path": st.sampled_from(["/a", "/a", "/b"]),
        "element": st.sampled_from(["", "#buy", "#buy"]),
        "x": st.sampled_from([None, 0.5, 0.53, 0.5375]),
        "y": st.sampled_from([None, 0.5, 0.5]),
        "viewport": st.sampled_from(["", "800x600", "800x600"]),
    },
    "dead_click": {"element": st.sampled_from(["", "#buy"])},
    "scroll": {"path": PATHS},
    "search": {"results_count": st.sampled_from([None, 0, 5])},
    "product_list_view": {"path": PATHS, "products": MAYBE_PRODUCTS},
    "product_view": {"path": PATHS, "products": MAYBE_PRODUCTS, **DIMENSIONS},
    "wishlist_add": {},
    "cart_add": SHOPPING,
    "cart_remove": SHOPPING,
    "cart_view": SHOPPING,
    "cart_update": SHOPPING,
    "checkout_start": SHOPPING | {"checkout_step": STEPS},
    "checkout_step": SHOPPING | {"checkout_step": STEPS},
    "payment_info": SHOPPING | {"checkout_step": STEPS},
    "payment_failed": COMMON,
    "coupon": {"coupon_status": st.sampled_from(["entered", "denied"])},
    "purchase": SHOPPING | DIMENSIONS | {"provisional": st.booleans()},
    "refund": {"value": VALUES},
    "cancel": {},
    "review": {},
    "survey_response": {
        "origin": ORIGINS,
        "survey": st.builds(
            Survey, kind=st.just("open"), comment=st.sampled_from(["", "too dear", "x" * 201])
        ),
    },
    "form_interaction": {
        "form": st.builds(
            Form, form_id=st.sampled_from(["", "f"]), error=st.sampled_from(["", "bad", "bad"])
        )
    },
    "performance": {
        "perf": st.builds(
            Perf,
            lcp_ms=st.sampled_from([None, 4_000.0, 4_000.5]),
            load_ms=st.sampled_from([None, 5_000.0, 5_001.0]),
        )
    },
    "error": {},
    "stock_out": {"stock_out": st.booleans()},
    "support": {},
    "email_open": {},
    "email_click": {},
    "identify": {"consent": st.builds(Consent, marketing=st.sampled_from([None, True, False]))},
    "login": {},
    "signup": {},
    "custom": {"path": PATHS, "page_kind": PAGE_KINDS, "variants": st.sampled_from(VARIANTS)},
}
OFTEN = ["page_view", "product_view", "cart_add", "cart_update", "checkout_step", "purchase"]
SOMETIMES = ["click", "cart_remove", "checkout_start", "payment_info", "survey_response"]
TYPES = [*FIELDS, *OFTEN * 4, *SOMETIMES * 2]


Plan = list[tuple[str, dict[str, Any]]]
"""Event types with the fields that are fixed; the others are drawn."""


def _walk(paths: list[str], visits: int) -> Plan:
    pages = (paths * visits)[:visits]
    return [("page_view", {"path": path, "page_kind": "category", "bot": False}) for path in pages]


A = Product(product_id="a", price=2000)
STEP = {"currency": "", "origin": "client", "products": None}
MOTIFS: list[Plan] = [
    [("click", {"path": "/a", "element": "#buy"})] * 4,
    [("click", {"path": "/a", "element": "", "x": 0.5, "y": 0.5, "viewport": "800x600"})] * 3,
    _walk(["/a", "/b"], 3),
    _walk(["/a", "/b"], 9),
    _walk(["/a", "/a", "/b", "/b"], 6),
    [("form_interaction", {"form": Form(form_id="f", error="bad")})] * 3,
    [("cart_add", {"products": [A], "currency": ""}), ("purchase", {})],
    [("cart_add", {"products": [A]}), ("cart_remove", {"products": [A]})],
    [("cart_add", {"products": [A]}), ("cart_update", {"products": []}), ("cart_add", {})],
    [
        ("cart_add", {"products": [A], "currency": ""}),
        *(("checkout_step", STEP | {"checkout_step": s}) for s in ("address", "shipping") * 4),
    ],
    [("cart_add", {"products": [A]}), ("checkout_start", STEP), ("purchase", {"origin": "server"})],
    [("scroll", {})] * 9,
    [("page_view", {"page_kind": "product"}), ("page_leave", {})],
    [("checkout_start", {}), ("page_view", {"page_kind": "account"}), ("survey_response", {})],
]


SINGLE: list[Plan] = [[(kind, {})] for kind in TYPES]
PLANS = st.one_of(
    st.sampled_from(SINGLE),
    st.sampled_from(SINGLE),
    st.sampled_from(SINGLE),
    st.sampled_from(MOTIFS),
)
CARTS_OF_SHOPPING = st.sampled_from(["", "", "C", "D"])
CARTS_ELSEWHERE = st.sampled_from(["", "", "", "C"])
USERS = st.sampled_from(["", "", "", "U", "W"])
ORDERS = st.sampled_from(["", "O", "P"])
LETTERS = st.sampled_from("abz")
PACES = st.sampled_from([0, 400, 500, 501, 4_000, 5_000])
LENGTHS = st.sampled_from([1, 6])


@st.composite
def histories(
    draw: st.DrawFn,
    visitors: tuple[str, ...] = ("v", "v", "v", "w", ""),
    longest: int = 400 * DAY,
    max_size: int = 12,
) -> list[Event]:
    """Events of a few visitors in time order, on one axis so that their carts and orders meet."""
    ts_ms, made, who = START, list[Event](), st.sampled_from(visitors)
    for plan in draw(st.lists(PLANS, min_size=draw(LENGTHS), max_size=max_size)):
        ts_ms += min(draw(STEPS_IN_TIME), longest)
        visitor, pace = draw(who), draw(PACES)
        for at, (kind, fixed) in enumerate(plan):
            ts_ms += pace if at else 0
            drawn = {name: draw(v) for name, v in FIELDS[kind].items() if name not in fixed}
            made.append(_event(draw, kind, drawn | fixed, visitor, (len(made), ts_ms)))
    return made


def _event(
    draw: st.DrawFn, kind: str, fields: dict[str, Any], visitor: str, place: tuple[int, int]
) -> Event:
    """One event; its number makes its id unique without making ids sort as times do."""
    number, ts_ms = place
    cart = draw(CARTS_OF_SHOPPING if "value" in FIELDS[kind] else CARTS_ELSEWHERE)
    user = draw(USERS)
    order = draw(ORDERS) if kind in ("purchase", "refund") else ""
    nobody = not (visitor or cart or user or order)
    return Event(
        type=cast("EventType", kind),
        event_id=f"{draw(LETTERS)}{number}",
        source="shop",
        visitor_id="v" if nobody else visitor,
        ts_ms=ts_ms,
        received_ms=ts_ms,
        cart_id=cart,
        user_id=user,
        order_id=order,
        **fields,
    )


RULES = st.sampled_from([CALM, CALM, STRICT])
LATER = st.sampled_from([0, 30_000, 15 * MINUTE + 30_001, 30 * MINUTE + 30_001, DAY, 8 * DAY])
"""From the last event to ``as_of``."""
