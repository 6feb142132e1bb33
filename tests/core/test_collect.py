"""Rows gathered by the fold leave with the newest of each id, signals in the order of versions."""

import msgspec

from schemas.rows import SignalRow
from services.sessionizer.core.collect import Collector


def signal(name: str, version: int, *, retracted: bool = False) -> SignalRow:
    return SignalRow(
        source="shop",
        visitor_id="v1",
        signal_id=name,
        kind="cart_abandoned",
        at_ms=1,
        emitted_ms=1,
        version=version,
        retracted=retracted,
    )


def test_a_signal_stated_again_leaves_after_those_before_it() -> None:
    out = Collector()
    for row in (signal("a", 1), signal("b", 2), signal("a", 3, retracted=True)):
        out.signal(row)
    left = [msgspec.json.decode(line, type=SignalRow) for line in out.take()["signals"]]
    assert [(row.signal_id, row.version) for row in left] == [("b", 2), ("a", 3)]
