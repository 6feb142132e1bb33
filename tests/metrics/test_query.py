"""What a question may ask, how rows look, and answers of now."""

from typing import TYPE_CHECKING, Any

import pytest

from services.common.errors import InvalidError
from services.loader.pace import ARRIVES_MS
from services.metrics_api.causes import compared, wilson
from services.metrics_api.metric_query import (
    Filter,
    MetricQuery,
    metric_of,
    parse_filter,
    settling,
)
from services.metrics_api.metric_rows import grid, major, row_of
from services.metrics_api.query import now_rows
from services.metrics_api.registry import METRICS
from services.rollups.buckets import Bucket
from services.rollups.sql import pruned
from services.sessionizer.core.policy import Time

if TYPE_CHECKING:
    from services.metrics_api.sums import Sums

MINUTE = 60_000
HOUR = 60 * MINUTE
DEFAULT = Time()


def ask(metric: str, **more: Any) -> MetricQuery:
    base: dict[str, Any] = {"source": "s", "from_ms": 0, "to_ms": HOUR, "now_ms": 10 * HOUR}
    return MetricQuery(metric=metric, **{**base, **more})


class Live:
    """A live view with two visitors and three carts."""

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        return None

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        return None

    async def live_visitors(self, source: str) -> dict[str, int]:
        return {"interest": 2, "": 1}

    async def open_carts(self, source: str) -> int:
        return 3

    async def clock_ms(self) -> int:
        return 0

    async def signals(self, source: str) -> list[dict[str, Any]]:
        return []


async def test_live_visitors_come_by_stage_those_without_one_apart() -> None:
    rows = await now_rows(Live(), ask("live_visitors"))
    counted = {row["stage"]: row["value"] for row in rows}
    assert counted == {
        "discovery": 0,
        "interest": 2,
        "intent": 0,
        "purchase": 0,
        "engagement": 0,
        "": 1,
    }
    only = await now_rows(Live(), ask("live_visitors", filters=(parse_filter("stage:Interest"),)))
    assert only == [{"stage": "interest", "value": 2, "complete": True}]


async def test_open_carts_are_one_number() -> None:
    assert await now_rows(Live(), ask("open_carts")) == [{"value": 3, "complete": True}]


async def test_a_metric_of_storage_is_no_metric_of_now() -> None:
    with pytest.raises(InvalidError, match="sessions"):
        await now_rows(Live(), ask("sessions"))


def test_filters_read_a_value_or_its_negation() -> None:
    assert parse_filter("channel:email") == Filter("channel", "email")
    assert parse_filter("device:!mobile") == Filter("device", "mobile", negated=True)
    assert parse_filter("path:/a:b") == Filter("path", "/a:b")
    assert parse_filter("stage:!INTENT") == Filter("stage", "intent", negated=True)


def test_a_currency_is_taken_in_any_case_and_what_is_none_is_refused() -> None:
    assert parse_filter("currency:usd") == Filter("currency", "USD")
    assert parse_filter("currency:!usd") == Filter("currency", "USD", negated=True)
    metric_of(ask("revenue", filters=(parse_filter("currency:usd"),)))
    for text in ("currency:dollars", "currency:!us", "currency:ZZZ"):
        with pytest.raises(InvalidError, match=r"^filter = 'currency:\w+': is no currency code"):
            metric_of(ask("revenue", filters=(parse_filter(text),)))


@pytest.mark.parametrize("text", ["channel", ":x", ""])
def test_a_filter_without_dimension_or_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="DIMENSION"):
        parse_filter(text)


def test_what_is_unknown_is_named_with_what_is_known() -> None:
    with pytest.raises(InvalidError, match="sesions"):
        metric_of(ask("sesions"))
    with pytest.raises(InvalidError, match=r"group_by = 'weather'.*channel"):
        metric_of(ask("sessions", group_by=("weather",)))
    with pytest.raises(InvalidError, match="filter = 'weather'"):
        metric_of(ask("sessions", filters=(Filter("weather", "sun"),)))


def test_a_value_that_nothing_can_have_is_refused_with_those_there_are() -> None:
    def kept(metric: str, dimension: str, value: str) -> MetricQuery:
        query = ask(metric, filters=(parse_filter(f"{dimension}:{value}"),))
        metric_of(query)
        return query

    for metric, dimension, known in (
        ("sessions", "stage", "discovery, interest"),
        ("live_visitors", "stage", "engagement, unstaged"),
        ("sessions", "page_kind", "home, category"),
        ("sessions", "customer_type", "new, returning"),
        ("signals", "kind", "stage_entered, bounce"),
        ("causes", "cause", "slow_page, unexpected_cost"),
        ("events", "type", "page_view, page_leave"),
        ("events", "origin", "client, server"),
    ):
        for value in ("zz", "!zz"):
            with pytest.raises(InvalidError, match=f"^filter = '{dimension}:zz': .*{known}"):
                kept(metric, dimension, value)
        kept(metric, dimension, "")
        kept(metric, dimension, known.split(", ")[1])
    with pytest.raises(InvalidError, match="unstaged"):
        kept("sessions", "stage", "unstaged")
    kept("sessions", "channel", "the shop's own")
    kept("sessions", "device", "watch")


def test_a_row_is_complete_when_nothing_is_open_and_its_bucket_is_past() -> None:
    bucket = Bucket(0, HOUR, 0, HOUR)
    measured = {"bounces": 3, "viewed": 4, "undecided": 0}

    def complete(now_ms: int, time: Time = DEFAULT, **more: int) -> bool:
        query = ask("bounce_rate", now_ms=now_ms, settling_ms=settling(time))
        row = row_of(METRICS["bounce_rate"], query, bucket, {}, {**measured, **more}, overlap=False)
        assert (row["value"], row["k"], row["n"]) == (0.75, 3, 4)
        return bool(row["complete"])

    assert complete(2 * HOUR)
    assert not complete(2 * HOUR, undecided=1)
    assert ask("bounce_rate").settling_ms == settling(DEFAULT) == 90_000 + ARRIVES_MS
    assert not complete(HOUR + 89_999 + ARRIVES_MS)
    assert complete(HOUR + 90_000 + ARRIVES_MS)
    patient = Time(grace_ms=600_000)
    assert not complete(HOUR + 659_999 + ARRIVES_MS, patient)
    assert complete(HOUR + 660_000 + ARRIVES_MS, patient)


def test_a_rate_of_nothing_is_null_and_a_count_zero() -> None:
    bucket = Bucket(0, HOUR, 0, HOUR)
    rate = row_of(METRICS["bounce_rate"], ask("bounce_rate"), bucket, {}, {}, overlap=False)
    assert (rate["value"], rate["k"], rate["n"], rate["open"]) == (None, 0, 0, 0)
    count = row_of(METRICS["sessions"], ask("sessions"), bucket, {}, {}, overlap=False)
    assert count["value"] == 0


def test_what_crosses_days_says_why_it_is_null() -> None:
    bucket = Bucket(0, HOUR, 0, HOUR)
    row = row_of(
        METRICS["repeat_purchase_rate"],
        ask("repeat_purchase_rate"),
        bucket,
        {},
        {"fleeting": 5},
        overlap=False,
    )
    assert row["value"] is None
    assert "lasting id" in row["reason"]


def test_money_without_data_is_zero_in_the_currency_of_the_source() -> None:
    found = [Bucket(0, HOUR, 0, HOUR)]
    query = ask("revenue", currency="JPY")
    assert [group for _, group, _ in grid(query, found, ("currency",), {})] == [("JPY",)]
    asked = ask("revenue", currency="JPY", filters=(parse_filter("currency:usd"),))
    assert [group for _, group, _ in grid(asked, found, ("currency",), {})] == [("USD",)]


def test_more_rows_than_an_answer_may_hold_are_refused() -> None:
    found = [Bucket(at, at + 1, at, at + 1) for at in range(2_000)]
    measured: Sums = {(0, (str(number),)): {"k": 1} for number in range(101)}
    with pytest.raises(InvalidError, match=r"101 groups in 2000 buckets"):
        list(grid(ask("sessions", group_by=("path",)), found, ("path",), measured))


def test_money_is_in_major_units_by_currency() -> None:
    assert (major(3579, "EUR"), major(500, "JPY"), major(1234, "KWD")) == (35.79, 500, 1.234)


def test_a_cause_that_every_cart_met_has_nothing_to_compare_with() -> None:
    both = {"resolved": 4, "abandoned": 3}
    row = compared(both, both)
    assert (row["exposed"], row["abandoned_with"], row["abandoned_without"]) == (4, 0.75, None)
    assert (row["difference"], row["ci_low"], row["ci_high"]) == (None, None, None)


def test_the_interval_of_a_share_stays_within_zero_and_one() -> None:
    low, high = wilson(0, 10)
    assert low == pytest.approx(0, abs=1e-9)
    assert high == pytest.approx(0.2775, abs=1e-3)


def test_columns_that_nothing_uses_are_left_out_with_what_they_need() -> None:
    sql = "SELECT\n    a AS t,\n    b AS one,\n    one + 1 AS two,\n    c AS three\nFROM x"
    assert pruned(sql, "sum(two)") == "SELECT a AS t, b AS one, one + 1 AS two\nFROM x"


def test_every_metric_has_a_sentence_and_known_measures() -> None:
    for metric in METRICS.values():
        assert metric.definition.endswith("."), metric.name
        if metric.fact and not metric.pivot:
            for names in (frozenset[str](), *(frozenset({name}) for name in metric.variants)):
                assert set(metric.measures) <= set(metric.fact_for(names).measures), metric.name
