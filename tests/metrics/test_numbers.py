"""Every number against a plain computation over the same generated rows, read raw and sealed."""

from collections.abc import Iterator

import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.loader.migrate import migrate
from services.loader.seal import seal
from services.metrics_api.metric_query import MetricQuery, parse_filter
from services.metrics_api.query import rows
from services.rollups.buckets import buckets
from tests.metrics import plainly
from tests.metrics.shop import DAY, NOW, SINCE, SOURCE, Shop, generate

TZ = "Europe/Berlin"
SESSION_METRICS = (
    "sessions",
    "page_views",
    "bounce_rate",
    "engaged_rate",
    "session_duration_ms",
    "pages_per_session",
    "conversion_rate",
    "support_contact_rate",
)
CART_METRICS = (
    "carts",
    "cart_abandonment_rate",
    "cart_abandonment_rate_net",
    "checkout_abandonment_rate",
)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate(seed=7)


@pytest.fixture(scope="module", params=["raw", "sealed"])
def storage(request: pytest.FixtureRequest, chdb_dsn: str, shop: Shop) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, database=f"test_numbers_{request.param}")
    migrate(opened)
    shop.insert(opened)
    if request.param == "sealed":
        assert seal(opened, SOURCE, TZ, NOW) > 0
    yield opened
    opened.close()


def ask(metric: str, **more: object) -> MetricQuery:
    base = {"source": SOURCE, "from_ms": SINCE, "to_ms": NOW, "now_ms": NOW, "tz": TZ}
    return MetricQuery(metric=metric, **{**base, **more})  # type: ignore[arg-type]


def value_of(cell: plainly.Cell, *, ratio: bool) -> float | None:
    k, n = cell
    if not ratio:
        return k
    return k / n if n else None


@pytest.mark.parametrize("metric", SESSION_METRICS)
@pytest.mark.parametrize("dims", [(), ("device", "customer_type"), ("browser", "os")])
def test_session_metrics_by_dimension(
    storage: ClickHouse, shop: Shop, metric: str, dims: tuple[str, ...]
) -> None:
    columns = tuple("past_buyer" if dim == "customer_type" else dim for dim in dims)
    expected = plainly.session_cells(
        shop, metric, SINCE, NOW, lambda row: plainly.plain(row, *columns)
    )
    found = rows(storage, ask(metric, group_by=dims))
    assert len(found) == len(expected)
    for row in found:
        parts = [
            str(row[dim] == "returning") if dim == "customer_type" else row[dim] for dim in dims
        ]
        cell = expected[",".join(parts)]
        ratio = metric not in {"sessions", "page_views"}
        assert row["value"] == pytest.approx(value_of(cell, ratio=ratio))
        if metric.endswith("rate"):
            assert (row["k"], row["n"]) == cell


@pytest.mark.parametrize(
    ("step", "zone"),
    [
        ("1d", TZ),
        ("6h", TZ),
        ("1d", "Asia/Kolkata"),
        ("1w", "Asia/Kolkata"),
        ("1mo", "America/St_Johns"),
    ],
)
def test_steps_add_up_bucket_by_bucket(
    storage: ClickHouse, shop: Shop, step: str, zone: str
) -> None:
    found = rows(storage, ask("sessions", step=step, tz=zone))
    cut = buckets(SINCE, NOW, step, zone)
    assert len(found) == len(cut)
    for row, bucket in zip(found, cut, strict=True):
        cells = plainly.session_cells(
            shop, "sessions", bucket.from_ms, bucket.to_ms, lambda _: ["all"]
        )
        assert row["value"] == cells.get("all", (0, 0))[0]
        assert row.get("partial", False) == bucket.partial
    assert found[0]["partial"]


@pytest.mark.parametrize("step", ["", "1d", "1h"])
def test_visitors_are_distinct_in_each_bucket(storage: ClickHouse, shop: Shop, step: str) -> None:
    since = NOW - 9 * DAY
    found = rows(storage, ask("visitors", step=step, from_ms=since))
    expected = [
        plainly.visitors(shop, bucket.from_ms, bucket.to_ms)
        for bucket in buckets(since, NOW, step, TZ)
    ]
    assert [row["value"] for row in found] == expected


def test_touched_pages_overlap(storage: ClickHouse, shop: Shop) -> None:
    expected = plainly.session_cells(
        shop, "sessions", SINCE, NOW, lambda row: list({page.page_kind for page in row.pages})
    )
    found = rows(storage, ask("sessions", group_by=("page_kind",)))
    assert {row["page_kind"]: (row["value"], 0) for row in found} == expected
    assert all(row["overlap"] for row in found)
    kept = rows(storage, ask("sessions", filters=(parse_filter("page_kind:cart"),)))
    assert [(row["value"], 0) for row in kept] == [expected["cart"]]
    without = rows(storage, ask("sessions", filters=(parse_filter("page_kind:!cart"),)))
    total = rows(storage, ask("sessions"))[0]["value"]
    assert without[0]["value"] == total - expected["cart"][0]


def test_filters_are_anded_and_negated(storage: ClickHouse, shop: Shop) -> None:
    filters = (parse_filter("channel:email"), parse_filter("device:!mobile"))
    expected = plainly.session_cells(
        shop, "sessions", SINCE, NOW, lambda row: plainly.plain(row, "channel", "device")
    )
    (found,) = rows(storage, ask("sessions", filters=filters))
    assert found["value"] == expected["email,desktop"][0]
    (first,) = rows(storage, ask("sessions", filters=filters[:1], touch="first"))
    by_first = plainly.session_cells(
        shop, "sessions", SINCE, NOW, lambda row: plainly.plain(row, "first_channel")
    )
    assert first["value"] == by_first["email"][0]


def test_bots_tests_and_staff_are_out_unless_asked_for(storage: ClickHouse, shop: Shop) -> None:
    (row,) = rows(storage, ask("sessions", include_bots=True))
    assert row["value"] == sum(session.source == SOURCE for session in shop.sessions)


def test_stages_count_who_came_at_least_so_far(storage: ClickHouse, shop: Shop) -> None:
    interest = plainly.session_cells(shop, "interest", SINCE, NOW, lambda _: ["all"])["all"]
    past = plainly.session_cells(shop, "engagement", SINCE, NOW, lambda _: ["all"])["all"]
    counted = {row["stage"]: row["value"] for row in rows(storage, ask("stage_sessions"))}
    assert (counted["interest"], counted["discovery"], counted["engagement"]) == (
        *interest,
        past[0],
    )
    shares = {row["stage"]: row for row in rows(storage, ask("stage_conversion"))}
    assert shares["interest"]["value"] == pytest.approx(interest[0] / interest[1])
    assert (shares["discovery"]["value"], shares["engagement"]["value"]) == (None, None)
    only = rows(storage, ask("stage_sessions", filters=(parse_filter("stage:INTENT"),)))
    assert [row["stage"] for row in only] == ["intent"]


@pytest.mark.parametrize("metric", CART_METRICS)
@pytest.mark.parametrize("dims", [(), ("country",)])
def test_cart_metrics_by_dimension(
    storage: ClickHouse, shop: Shop, metric: str, dims: tuple[str, ...]
) -> None:
    expected = plainly.cart_cells(shop, metric, SINCE, NOW, lambda row: plainly.plain(row, *dims))
    for row in rows(storage, ask(metric, group_by=dims)):
        cell = expected[",".join(row[dim] for dim in dims)]
        assert row["value"] == pytest.approx(value_of(cell, ratio=metric != "carts"))
        if metric != "carts":
            assert (row["k"], row["n"]) == cell


def test_checkout_abandonment_by_step_reached(storage: ClickHouse, shop: Shop) -> None:
    expected = plainly.cart_cells(shop, "by_step", SINCE, NOW, lambda row: row.checkout_steps)
    found = rows(storage, ask("checkout_abandonment_rate", group_by=("checkout_step",)))
    assert {row["checkout_step"]: (row["k"], row["n"]) for row in found} == expected


def test_undecided_carts_are_told_beside_the_rate(storage: ClickHouse, shop: Shop) -> None:
    mine = plainly.shown(shop.carts)
    (gross,) = rows(storage, ask("cart_abandonment_rate"))
    (net,) = rows(storage, ask("cart_abandonment_rate_net"))
    undecided = [row for row in mine if row.outcome == "open" and row.last_activity_ms < NOW]
    waiting = [row for row in mine if row.outcome == "abandoned" and row.last_activity_ms < NOW]
    assert gross["open"] == len(undecided)
    assert net["open"] == len(undecided) + len(waiting)
    assert not gross["complete"]


@pytest.mark.parametrize(
    "metric", ["orders", "revenue", "refunds", "revenue_net", "cancelled_orders"]
)
@pytest.mark.parametrize("since", [SINCE, NOW - 8 * DAY])
def test_money_is_counted_once_and_never_over_currencies(
    storage: ClickHouse, shop: Shop, metric: str, since: int
) -> None:
    found = {row["currency"]: row["value"] for row in rows(storage, ask(metric, from_ms=since))}
    exponent = {"EUR": 2, "JPY": 0} if metric not in {"orders", "cancelled_orders"} else {}
    for currency in ("EUR", "JPY"):
        expected = plainly.money(shop, metric, since, NOW, currency)
        assert found[currency] == pytest.approx(expected / 10 ** exponent.get(currency, 0))


def test_average_order_value_is_revenue_over_orders(storage: ClickHouse) -> None:
    by = {
        name: {row["currency"]: row["value"] for row in rows(storage, ask(name))}
        for name in ("average_order_value", "revenue", "orders")
    }
    for currency, value in by["average_order_value"].items():
        whole = by["revenue"][currency] / by["orders"][currency]
        assert value == pytest.approx(whole, abs=0.01)


def test_revenue_by_category_adds_up(storage: ClickHouse, shop: Shop) -> None:
    found = rows(storage, ask("revenue", group_by=("category",)))
    for currency in ("EUR", "JPY"):
        (total,) = [r["value"] for r in rows(storage, ask("revenue")) if r["currency"] == currency]
        parts = [row["value"] for row in found if row["currency"] == currency]
        assert sum(parts) == pytest.approx(total)
    assert "(unallocated)" in {row["category"] for row in found}


def test_abandoned_and_recovered_value(storage: ClickHouse, shop: Shop) -> None:
    for metric in ("abandoned_value", "recovered_value"):
        expected = plainly.cart_cells(
            shop, metric, SINCE, NOW, lambda row: plainly.plain(row, "currency")
        )
        found = {row["currency"]: row["value"] for row in rows(storage, ask(metric))}
        assert found["EUR"] == pytest.approx(expected["EUR"][0] / 100)
        assert found["JPY"] == expected["JPY"][0]


def test_pages_exits_and_times_by_path(storage: ClickHouse, shop: Shop) -> None:
    expected = plainly.page_cells(shop, SINCE, NOW)
    for row in rows(storage, ask("exit_rate", group_by=("path",))):
        cell = expected[row["path"]]
        assert (row["k"], row["n"]) == (cell["exits"], cell["views"])
    for row in rows(storage, ask("time_on_page_ms", group_by=("path",))):
        cell = expected[row["path"]]
        assert row["n"] == cell["timed"]
        assert row["value"] == pytest.approx(cell["time"] / cell["timed"])
        assert 0 < row["p50"] < 60_000


# Of a short time only its buyers' orders are looked at, of a longer one all.
@pytest.mark.parametrize("days", [10, 40])
def test_repeat_purchases(storage: ClickHouse, shop: Shop, days: int) -> None:
    since = NOW - days * DAY
    again, following = plainly.repeats(shop, since, NOW)
    (rate,) = rows(storage, ask("repeat_purchase_rate", from_ms=since))
    assert (rate["k"], rate["n"]) == again
    (gap,) = rows(storage, ask("days_to_next_order", from_ms=since))
    assert gap["n"] == following[1]
    assert gap["value"] == pytest.approx(following[0] / following[1])


def test_signals_and_events_are_counted_by_kind(storage: ClickHouse, shop: Shop) -> None:
    mine = [
        row.kind for row in plainly.shown(shop.signals) if row.at_ms < NOW and not row.retracted
    ]
    found = {row["kind"]: row["value"] for row in rows(storage, ask("signals", group_by=("kind",)))}
    assert found == {kind: mine.count(kind) for kind in set(mine)}
    types = [event.type for event in plainly.shown(shop.events)]
    counted = {
        row["type"]: row["value"] for row in rows(storage, ask("events", group_by=("type",)))
    }
    assert counted == {type_: types.count(type_) for type_ in set(types)}


def test_causes_tell_exposure_with_and_without(storage: ClickHouse, shop: Shop) -> None:
    mine = [
        row
        for row in plainly.shown(shop.carts)
        if row.last_activity_ms < NOW and row.outcome not in {"open", "emptied"}
    ]
    for row in rows(storage, ask("causes")):
        met = [cart for cart in mine if row["cause"] in cart.friction]
        rest = [cart for cart in mine if row["cause"] not in cart.friction]
        left = sum(cart.abandoned_ms is not None for cart in met) / len(met)
        others = sum(cart.abandoned_ms is not None for cart in rest) / len(rest)
        assert row["exposed"] == len(met)
        assert row["value"] == sum(row["cause"] in cart.causes for cart in mine)
        assert (row["abandoned_with"], row["abandoned_without"]) == pytest.approx((left, others))
        assert row["difference"] == pytest.approx(left - others)
        assert row["ci_low"] < row["difference"] < row["ci_high"]
