"""A changelog and a topic as an earlier version wrote them: this version goes on from there."""

from pathlib import Path

import msgspec
import pytest

from schemas.event import Event
from schemas.rows import CartRow, SessionRow, SignalRow
from services.common.ports import LogRecord, PartitionMeta
from services.sessionizer.core.batch import fold_history
from services.sessionizer.core.partition import Partition
from services.sessionizer.effects import META_KEY
from services.sessionizer.states import States
from tests.oracle.compare import key_of
from tests.oracle.compare import told as by_key
from tests.sessionizer.record import TARGET, Kept
from tests.sessionizer.street import TICK
from tests.sessionizer.told import RULES

KINDS = {"sessions": SessionRow, "carts": CartRow, "signals": SignalRow}


@pytest.fixture(params=sorted(TARGET.parent.glob("changelog*.jsonl")), ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest) -> list[Kept]:
    path = Path(request.param)
    return [msgspec.json.decode(line, type=Kept) for line in path.read_bytes().splitlines()]


def middle(kept: list[Kept]) -> tuple[dict[bytes, bytes], PartitionMeta]:
    """Return states and meta as of the transaction in the middle of the changelog."""
    changelog = [one for one in kept if one.topic == "states"]
    metas = [place for place, one in enumerate(changelog) if one.key == META_KEY]
    states: dict[bytes, bytes] = {}
    for one in changelog[: metas[len(metas) // 2] + 1]:
        assert one.key is not None
        if one.value is None:
            states.pop(one.key, None)
        else:
            states[one.key] = one.value
    return states, msgspec.msgpack.decode(states.pop(META_KEY), type=PartitionMeta)


def test_the_fold_goes_on_from_the_middle_of_it(kept: list[Kept]) -> None:
    states, meta = middle(kept)
    assert len(states) >= 5
    fold = Partition(lambda _: RULES, States(states), meta, time=RULES.policy.time)
    records = [one for one in kept if one.topic == "events"]
    for one in records:
        fold.apply(LogRecord(one.offset, one.at_ms, one.value or b""))
    for second in range(1, 60):
        last = records[-1]
        fold.apply(LogRecord(last.offset + second, last.at_ms + 1_000 * second, TICK))
    events = [
        event
        for one in records
        for event in msgspec.json.Decoder(Event).decode_lines(one.value or b"")
        if not event.type.startswith("__") and not event.to
    ]
    truth = by_key(fold_history(events, lambda _: RULES, records[-1].at_ms + 60_000, 1))
    rows = fold.take().rows
    told = [msgspec.json.decode(line, type=KINDS[name]) for name in KINDS for line in rows[name]]
    assert len([row for row in told if isinstance(row, SessionRow)]) >= 10
    for row in told:
        ours = msgspec.to_builtins(row)
        assert {name: ours[name] for name in truth[key_of(row)]} == truth[key_of(row)]
