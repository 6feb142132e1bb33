"""One event id with two times: counts once, but in ``events`` once a month it is in (ADR 5)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.common.ports import Outgoing, nothing
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows as answer
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import rebuild_source
from services.standalone.parts import Parts
from tests.history.installation import installation
from tests.support.clock import ManualClock

NEW_YEAR_MS = 1_798_761_600_000  # 2027-01-01T00:00:00Z
SECOND_MS = 1_000
DAY_MS = 86_400_000
COUNTED_ONCE = {"page_views": 1, "sessions": 1, "carts": 1, "orders": 1}


def send(parts: Parts, clock: ManualClock, at_ms: int) -> None:
    """Send a visit of one page and an order, the same ids whenever it is."""
    clock.move(max(0, at_ms - clock.now_ms()))
    for kind in ("page_view", "cart_add", "purchase"):
        event: dict[str, Any] = {"type": kind, "event_id": kind, "visitor_id": "v", "ts_ms": at_ms}
        if kind == "purchase":
            event |= {"order_id": "o", "value": 1_000, "currency": "EUR"}
        stamped = event | {"source": "shop", "received_ms": at_ms}
        parts.log.append([Outgoing("shop", "v", msgspec.json.encode(stamped))])
    parts.engine.catch_up()


def pass_hours(parts: Parts, clock: ManualClock, hours: int) -> None:
    for _ in range(hours * 360):
        clock.move(10 * SECOND_MS)
        parts.log.append([Outgoing("", "", b'{"type":"__tick"}')])
    parts.engine.catch_up()


def counts(parts: Parts, clock: ManualClock) -> dict[str, int]:
    first_ms, end_ms = NEW_YEAR_MS - 31 * DAY_MS, NEW_YEAR_MS + 31 * DAY_MS
    found = {}
    for name in ("events", *COUNTED_ONCE):
        query = MetricQuery(
            metric=name, source="shop", from_ms=first_ms, to_ms=end_ms, now_ms=clock.now_ms()
        )
        (row,) = answer(parts.storage, query)
        found[name] = row["value"]
    return found


@pytest.mark.parametrize(("again_ms", "events"), [(-SECOND_MS, 3), (SECOND_MS, 6)])
def test_an_id_with_two_times_is_one_event_but_where_the_month_ends_between(
    tmp_path: Path, chdb_dsn: str, again_ms: int, events: int
) -> None:
    clock = ManualClock(NEW_YEAR_MS - 10 * SECOND_MS)
    with installation(tmp_path / "data", chdb_dsn, f"repeats_{events}", clock) as parts:
        send(parts, clock, NEW_YEAR_MS - 5 * SECOND_MS)
        send(parts, clock, NEW_YEAR_MS + again_ms)
        pass_hours(parts, clock, 1)
        assert counts(parts, clock) == {"events": events} | COUNTED_ONCE
        context = AdminContext(parts=parts, progress=nothing, running=False)
        rebuild_source(context, {})
        assert counts(parts, clock) == {"events": events} | COUNTED_ONCE
