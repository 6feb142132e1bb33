"""The joined answer holds against the raw one, whatever comes late or goes away again."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pytest

from schemas.rows import SessionRow
from services.common.asking import answered
from services.common.clickhouse import ClickHouse, open_storage
from services.common.clickhouse_address import address_of
from services.loader.marks import MarkingSink
from services.loader.migrate import migrate
from services.loader.seal import seal
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from services.metrics_api.registry import METRICS
from services.rollups.facts import FACTS
from services.rollups.tiers import clean_runs, complement, joined, tiers
from tests.metrics.shop import DAY, HOUR, MINUTE, NOW, SINCE, SOURCE, Shop, generate
from tests.support.clock import ManualClock

TZ = "Europe/Berlin"
WHOLE = (SINCE, NOW)
replace = msgspec.structs.replace


QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("visitors", ()),
    ("sessions", ("channel",)),
    ("conversion_rate", ()),
    ("time_on_page_ms", ("path",)),
    ("cart_abandonment_rate_net", ("device",)),
    ("checkout_abandonment_rate", ("checkout_step",)),
    ("causes", ()),
    ("revenue_net", ()),
    ("revenue", ("category",)),
    ("signals", ("kind",)),
    ("events", ()),
)
VISITS, CARTS, MONEY = QUESTIONS[:4], QUESTIONS[4:7], QUESTIONS[7:9]


class Store:
    """A store that seals, written as the loader does, and read both ways."""

    def __init__(self, dsn: str) -> None:
        self.storage = open_storage(dsn, database="test_tiers")
        migrate(self.storage)
        self.clock = ManualClock(NOW)
        self.sink = MarkingSink(self.storage, self.clock)

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        self.sink.insert(table, lines, token)

    def seal(self) -> int:
        return seal(self.storage, SOURCE, TZ, NOW)

    def sealed_share(self, fact: str) -> float:
        runs = clean_runs(self.storage, FACTS[fact], SOURCE, TZ, WHOLE)
        return sum(end - start for start, end in runs) / (NOW - SINCE)

    def value(self, metric: str, key: str = "value") -> float:
        (row,) = rows(self.storage, ask(metric))
        return float(row[key])

    def agree(self, questions: Iterable[tuple[str, tuple[str, ...]]] = QUESTIONS) -> None:
        for name, dims in questions:
            query = ask(name, group_by=dims)
            raw = rows(self.storage, replace(query, raw=True))
            assert rows(self.storage, query) == raw, (name, dims)


def ask(metric: str, **more: object) -> MetricQuery:
    base = {"source": SOURCE, "from_ms": SINCE, "to_ms": NOW, "now_ms": NOW, "tz": TZ}
    return MetricQuery(metric=metric, **{**base, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate(seed=11, visits=400)


@pytest.fixture(scope="module")
def store(chdb_dsn: str, shop: Shop) -> Iterator[Store]:
    made = Store(chdb_dsn)
    shop.insert(made)
    made.seal()
    yield made
    made.storage.close()


def test_what_nothing_live_can_change_is_sealed(store: Store) -> None:
    assert store.sealed_share("sessions") == pytest.approx(1 - 26 / (41 * 24), abs=0.01)
    assert store.sealed_share("carts") == pytest.approx(1 - 26 / (41 * 24), abs=0.01)
    assert store.sealed_share("visits") > 0.9
    assert store.seal() == 0
    store.agree((name, ()) for name, metric in METRICS.items() if metric.kind != "now")


def test_a_late_session_dirties_its_bucket_alone(store: Store, shop: Shop) -> None:
    clean = store.sealed_share("sessions")
    row = replace(old(shop), session_id="00000000-0000-0000-0000-0000000000aa", version=9)
    store.insert("sessions", [msgspec.json.encode(row)], "late")
    assert store.sealed_share("sessions") == pytest.approx(clean - 15 * MINUTE / (NOW - SINCE))
    store.agree(VISITS)
    assert store.seal() > 0
    assert store.sealed_share("sessions") == clean
    store.agree(VISITS)


def test_a_clock_set_back_by_hours_leaves_no_sealed_bucket_unmarked(
    store: Store, shop: Shop
) -> None:
    ended = NOW - 27 * HOUR  # sealed an hour ago, by the log's clock
    row = replace(old(shop), session_id="00000000-0000-0000-0000-0000000000ab", version=9)
    row = replace(row, started_ms=ended, ended_ms=ended)
    store.clock.move(-12 * HOUR)
    store.insert("sessions", [msgspec.json.encode(row)], "set back")
    store.clock.move(12 * HOUR)
    store.agree(VISITS)
    store.seal()
    store.agree(VISITS)


def test_a_deleted_session_leaves_the_sums(store: Store, shop: Shop) -> None:
    gone = replace(old(shop), version=10, deleted=True)
    before = store.value("sessions")
    store.insert("sessions", [msgspec.json.encode(gone)], "gone")
    assert store.value("sessions") == before - 1
    store.agree(VISITS)


def test_a_cart_that_moves_dirties_where_it_was_and_where_it_goes(store: Store, shop: Shop) -> None:
    cart = next(
        one
        for one in shop.carts
        if one.outcome == "abandoned" and one.last_activity_ms < NOW - 20 * DAY and shown(one)
    )
    assert cart.bucket_ms is not None
    moved = replace(
        cart, bucket_ms=cart.bucket_ms - HOUR, outcome="converted", abandoned_ms=None, version=11
    )
    store.insert("carts", [msgspec.json.encode(moved)], "moved")
    store.agree(CARTS)


def test_a_cart_that_moves_out_of_a_sealed_bucket_dirties_where_it_was(
    store: Store, shop: Shop
) -> None:
    cart = next(one for one in shop.carts if one.last_activity_ms < NOW - 3 * DAY and shown(one))
    waiting = replace(cart, bucket_ms=None, outcome="open", abandoned_ms=None, version=12)
    store.insert("carts", [msgspec.json.encode(waiting)], "waiting")
    store.seal()
    store.agree(CARTS)
    left = replace(waiting, last_activity_ms=NOW - HOUR, bucket_ms=NOW - HOUR, version=13)
    left = replace(left, outcome="abandoned", abandoned_ms=NOW - HOUR // 2)
    store.insert("carts", [msgspec.json.encode(left)], "left")
    store.agree(CARTS)


def test_a_cart_recovered_after_its_sealing_is_sealed_again(store: Store, shop: Shop) -> None:
    cart = next(
        one
        for one in reversed(shop.carts)
        if one.outcome == "abandoned" and (one.bucket_ms or NOW) < NOW - 2 * DAY and shown(one)
    )
    store.seal()
    clean, net = store.sealed_share("carts"), store.value("cart_abandonment_rate_net")
    back = replace(cart, outcome="recovered", recovered_ms=NOW - HOUR, version=14)
    store.insert("carts", [msgspec.json.encode(back)], "back")
    assert store.sealed_share("carts") < clean
    assert store.value("cart_abandonment_rate_net") < net
    store.agree(CARTS)
    store.seal()
    assert store.sealed_share("carts") == clean
    store.agree(CARTS)


def test_refunds_of_sealed_orders_and_late_copies_of_orders(store: Store, shop: Shop) -> None:
    order = next(
        one
        for one in shop.orders
        if one.kind == "order" and one.at_ms < NOW - 20 * DAY and shown(one) and not one.provisional
    )
    late = [
        replace(order, kind="refund", event_id="r1", value=250, at_ms=order.at_ms + DAY),
        replace(order, kind="refund", event_id="r2", value=None, at_ms=NOW - HOUR),
        replace(order, event_id="earlier", value=777, at_ms=order.at_ms - 3 * HOUR, version=9),
    ]
    for number, row in enumerate(late):
        store.insert("orders", [msgspec.json.encode(row)], f"order-{number}")
        store.agree(MONEY)


def test_an_order_that_comes_late_converts_a_sealed_session(store: Store, shop: Shop) -> None:
    session = next(
        one
        for one in reversed(shop.sessions)
        if one.started_ms < NOW - 15 * DAY
        and shown(one)
        and one.session_id not in {order.session_id for order in shop.orders}
    )
    order = replace(
        next(one for one in shop.orders if one.kind == "order" and shown(one)),
        order_id="late-order",
        event_id="late-order",
        session_id=session.session_id,
        at_ms=session.ended_ms,
        named=True,
    )
    before = store.value("conversion_rate", "k")
    store.insert("orders", [msgspec.json.encode(order)], "late-order")
    assert store.value("conversion_rate", "k") == before + 1
    store.agree(MONEY)


def test_a_mark_during_a_seal_wins(store: Store, shop: Shop) -> None:
    class Interrupted(ClickHouse):
        """A store in which a late session arrives while the seal job sums."""

        def command(self, sql: str, parameters: object = None) -> None:
            store.storage.command(sql, parameters)  # type: ignore[arg-type]
            if "rollup_sessions" in sql:
                row = replace(old(shop), session_id=LATE, version=12)
                store.insert("sessions", [msgspec.json.encode(row)], "while-sealing")

        def query(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            return store.storage.query(sql, parameters)  # type: ignore[arg-type]

        def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
            store.storage.insert(table, lines, token)

    dirtying = replace(old(shop), session_id=LATE[:-1] + "c", version=12)
    store.insert("sessions", [msgspec.json.encode(dirtying)], "dirtying")
    seal(Interrupted(address_of("chdb:///unused")), SOURCE, TZ, NOW)
    store.agree()
    assert store.seal() > 0
    store.agree()


LATE = "00000000-0000-0000-0000-0000000000bb"


def old(shop: Shop) -> SessionRow:
    return next(one for one in shop.sessions if one.started_ms < NOW - 20 * DAY and shown(one))


def shown(row: object) -> bool:
    return all(not getattr(row, name) for name in ("bot", "test", "excluded")) and (
        getattr(row, "source", "") == SOURCE
    )


def test_edges_that_cut_a_quarter_are_read_raw(store: Store) -> None:
    start = SINCE + DAY - (SINCE + DAY) % HOUR
    asking = tiers(FACTS["sessions"], SOURCE, TZ, (start + MINUTE, start + 10 * HOUR))
    split = answered(store.storage, asking)
    assert split.raw == [(start + MINUTE, start + 15 * MINUTE)]
    assert split.sealed == [(start + 15 * MINUTE, start + 10 * HOUR)]


def test_many_raw_stretches_are_joined_over_the_shortest_gaps() -> None:
    ranges = [(at * 10, at * 10 + 5) for at in range(30)]
    found = joined([*ranges, (1000, 1001)], (0, 5000))
    assert len(found) == 12
    assert (found[0][0], found[-1]) == (0, (1000, 1001))
    assert complement(found, (0, 5000))[-1] == (1001, 5000)
