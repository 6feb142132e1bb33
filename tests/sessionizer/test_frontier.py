"""What a visitor's state at rest tells of things that are open."""

from collections.abc import Iterator

import msgspec

from schemas.event import Event, Product
from services.common.ports import LogRecord
from services.history.cut import NEVER
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.frontier import has_open_session, open_since_ms

START_MS = 1_790_000_000_000
KEY = b"shop\x1fv"


class Nothing:
    """No states at rest."""

    def get(self, key: bytes) -> bytes | None:
        return None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(())


def state_after(quiet_ms: int, *events: Event) -> bytes | None:
    partition = Partition(lambda _source: SourceRules(), Nothing())
    body = b"\n".join(msgspec.json.encode(event) for event in events)
    partition.apply(LogRecord(1, START_MS, body))
    for second in range(0, quiet_ms // 1000 + 60, 5):
        tick = LogRecord(2 + second, START_MS + second * 1000, b'{"type":"__tick"}')
        partition.apply(tick)
    return partition.take().states.get(KEY)


def event(kind: str, at_ms: int, **fields: object) -> Event:
    made = {"type": kind, "event_id": f"{kind}{at_ms}", "source": "shop", "visitor_id": "v"}
    return msgspec.convert({**made, "ts_ms": at_ms, "received_ms": at_ms, **fields}, Event)


def test_nobody_has_nothing_open() -> None:
    assert open_since_ms(None) == NEVER
    assert has_open_session(None) is False


def test_a_visit_is_open_since_its_start() -> None:
    state = state_after(0, event("page_view", START_MS))
    assert open_since_ms(state) == START_MS
    assert has_open_session(state) is True


def test_an_abandoned_cart_is_open_though_the_visit_is_over() -> None:
    add = event("cart_add", START_MS, products=[Product("p", price=100)])
    state = state_after(31 * 60_000, event("page_view", START_MS - 1_000), add)
    assert has_open_session(state) is False
    assert open_since_ms(state) == START_MS
