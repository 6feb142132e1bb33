"""Facts: the few kinds of rows that every number is summed from, in one closed table.

A fact is a named SQL file (``queries/NAME.sql``) that yields, for each row that counts, its time
``t``, its dimensions and what it adds to each measure. Both tiers of reading use that one file:
the seal job sums it into the roll-up ``rollup_NAME`` once nothing live can change a bucket, and
queries sum it on the fly where a bucket is open or dirty. So a number is decided in one place.
"""

from functools import partial
from typing import Literal

from msgspec import Struct

from schemas.spans import DAY_MS, HOUR_MS

Grain = Literal["quarter", "day"]
Aggregate = Literal["sum", "distinct", "median"]

CALLS: dict[Aggregate, tuple[str, str, str]] = {
    "sum": ("sum", "sum", "sum"),
    "distinct": ("uniqState", "uniqMergeState", "uniqMerge"),
    "median": (
        "quantileDDState(0.005, 0.5)",
        "quantileDDMergeState(0.005, 0.5)",
        "quantileDDMerge(0.005, 0.5)",
    ),
}
"""How a measure is summed: from rows, from a roll-up, and over both. The sketches do not depend on
the order they are merged in; ``uniq`` is exact up to 65,536, the median within half a percent."""


class Dimension(Struct, frozen=True):
    """What rows are grouped and filtered by; a ``touched`` one has many values in a row.

    ``group`` and ``match`` are SQL over the fact's columns; in ``match`` the value is ``{}``.
    """

    name: str
    group: str
    match: str
    touched: bool = False


def _plain(*names: str) -> tuple[Dimension, ...]:
    return tuple(Dimension(name, name, f"{name} = {{}}") for name in names)


def _touched(**columns: str) -> tuple[Dimension, ...]:
    return tuple(
        Dimension(name, f"arrayJoin({column})", f"has({column}, {{}})", touched=True)
        for name, column in columns.items()
    )


VISIT = _plain(
    "channel",
    "first_channel",
    "device",
    "browser",
    "os",
    "country",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "customer_type",
)
"""Dimensions that every row of a visitor has."""

_CUBES: tuple[tuple[str, ...], ...] = (
    (),
    *((dimension.name,) for dimension in VISIT),
    ("channel", "device", "customer_type"),
    ("first_channel", "device", "customer_type"),
)


def _cubes(*more: tuple[str, ...], always: tuple[str, ...] = ()) -> tuple[tuple[str, ...], ...]:
    return tuple(always + cube for cube in (*_CUBES, *more))


class Fact(Struct, frozen=True, kw_only=True):
    """One kind of row that counts.

    ``anchor`` is the table's column by which months are pruned, ``back_ms`` how far it may lie
    before ``t``. ``lag_ms`` after its end a bucket is sealed, in quarters of an hour UTC or in
    days of the source's zone (``grain``): when little changes it any more, for what does marks it
    dirty (ADR 21). ``cubes`` are the sets of dimensions that the roll-up keeps, smallest first;
    what none of them covers is read raw. A ``whole`` fact looks at rows of all times to tell of
    some (a buyer's earlier orders), so nothing of it is ever sealed.
    """

    name: str
    table: str
    anchor: str
    dimensions: tuple[Dimension, ...]
    measures: dict[str, Aggregate]
    cubes: tuple[tuple[str, ...], ...]
    back_ms: int = 0
    whole: bool = False
    lag_ms: int = 26 * HOUR_MS
    grain: Grain = "quarter"

    def dimension(self, name: str) -> Dimension | None:
        """Return a dimension by name, None where the fact has no such."""
        return next((one for one in self.dimensions if one.name == name), None)


def _sums(*names: str) -> dict[str, Aggregate]:
    return dict.fromkeys(names, "sum")


_of_carts = partial(Fact, table="carts", anchor="opened_ms", back_ms=31 * DAY_MS)
"""A fact of cart episodes, which stay open for 31 days and undecided for 12 at most."""
_of_orders = partial(Fact, table="orders", anchor="at_ms")
"""A fact of orders, or of what was given back of them, at their own times."""

_RESOLVED = ("undecided", "resolved", "abandoned")
_CHECKOUTS = ("checkouts_undecided", "checkouts", "checkouts_abandoned")

_ALL = (
    Fact(
        name="sessions",
        table="sessions",
        anchor="started_ms",
        dimensions=(
            *VISIT,
            *_plain("utm_term", "utm_content", "entry_path", "exit_path", "stage"),
            *_touched(page_kind="page_kinds", category="categories", path="paths"),
        ),
        measures=_sums(
            "sessions",
            "undecided",
            "views",
            "closed",
            "closed_views",
            "duration",
            "viewed",
            "bounces",
            "engagements",
            "discovery",
            "interest",
            "intent",
            "purchase",
            "engagement",
            "supported",
            "converted",
        ),
        cubes=_cubes(("stage",), ("page_kind",), ("category",)),
    ),
    Fact(
        name="visits",
        table="sessions",
        anchor="started_ms",
        back_ms=2 * DAY_MS,
        dimensions=VISIT,
        measures={"visitor": "distinct"},
        cubes=_cubes(),
        grain="day",
    ),
    Fact(
        name="pages",
        table="sessions",
        anchor="started_ms",
        dimensions=(*VISIT, *_plain("path", "page_kind", "category")),
        measures={
            **_sums("undecided", "views", "closed_views", "exits", "timed", "time_ms"),
            "timed_ms": "median",
        },
        cubes=(
            (),
            ("device",),
            ("customer_type",),
            ("page_kind",),
            ("channel",),
            ("country",),
            ("category",),
            ("path",),
        ),
        grain="day",
    ),
    _of_carts(
        name="carts",
        dimensions=(
            *VISIT,
            *_plain("currency", "checkout_step"),
            *_touched(category="categories"),
        ),
        measures=_sums(
            *_RESOLVED,
            *_CHECKOUTS,
            "unrecovered",
            "carts",
            "recovered",
            "net",
            "abandoned_value",
            "recovered_value",
        ),
        cubes=_cubes(("checkout_step",), ("category",), always=("currency",)),
    ),
    _of_carts(
        name="steps",
        dimensions=(*VISIT, *_plain("checkout_step")),
        measures=_sums(*_CHECKOUTS),
        cubes=(("checkout_step",), ("checkout_step", "device")),
    ),
    _of_carts(
        name="frictions",
        dimensions=(*VISIT, *_plain("cause")),
        measures=_sums(*_RESOLVED, "named"),
        cubes=(("cause",), ("cause", "channel"), ("cause", "device"), ("cause", "customer_type")),
    ),
    _of_orders(
        name="sales",
        dimensions=(*VISIT, *_plain("currency")),
        measures=_sums("orders", "revenue"),
        cubes=_cubes(always=("currency",)),
    ),
    _of_orders(
        name="refunds",
        dimensions=(*VISIT, *_plain("currency")),
        measures=_sums("refunds", "cancels"),
        cubes=_cubes(always=("currency",)),
    ),
    _of_orders(
        name="order_lines",
        dimensions=(*VISIT, *_plain("currency", "category")),
        measures=_sums("orders", "revenue"),
        cubes=(("currency", "category"),),
    ),
    _of_orders(
        name="buyers",
        whole=True,
        dimensions=VISIT,
        measures={
            "buyer": "distinct",
            "again": "distinct",
            **_sums("followed", "gap", "awaiting", "fleeting"),
            "gaps": "median",
        },
        cubes=(),
    ),
    Fact(
        name="signals",
        table="signals",
        anchor="at_ms",
        dimensions=(*VISIT, *_plain("kind", "stage")),
        measures=_sums("signals"),
        cubes=_cubes(("kind",), ("kind", "stage"), ("kind", "channel"), ("kind", "device")),
    ),
    Fact(
        name="events",
        table="events",
        anchor="ts_ms",
        dimensions=_plain(
            "type",
            "origin",
            "page_kind",
            "path",
            "category",
            "channel",
            "device",
            "browser",
            "os",
            "country",
        ),
        measures=_sums("events"),
        lag_ms=12 * HOUR_MS,
        cubes=((), ("type",), ("page_kind",), ("channel",), ("device",), ("country",)),
    ),
)

FACTS: dict[str, Fact] = {fact.name: fact for fact in _ALL}
