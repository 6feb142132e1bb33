"""The small fold that benchmarks put in the engine's place for its own: the worker can drive it."""

import msgspec

from benchmarks.kafka.ours import Line, Visit, VisitFold, VisitOwners
from benchmarks.kafka.visit import GAP_MS, Marks
from services.common.settings import load
from services.sessionizer.effects import Effects
from services.sessionizer.restore import Restored

MINUTE_MS = 60_000
NOW_MS = 1_760_000_000_000


def body(*lines: Line) -> bytes:
    return b"\n".join(map(msgspec.json.encode, lines))


async def test_an_owner_takes_records_into_it_and_what_changed_out_of_it() -> None:
    settings = load(environ={}, overrides={"kafka": "127.0.0.1:1", "kafka_partitions": 1})
    marks = Marks(warm=-1)
    owners = VisitOwners(settings, marks)
    owner = owners._own(0, Restored({}), Effects(settings, 0), 0)
    owner.frozen, owner.sure = False, True
    first = body(*(Line("shop", "ann", "page_view", NOW_MS + at * MINUTE_MS) for at in (0, 2)))
    later = body(Line("shop", "ann", "purchase", NOW_MS + GAP_MS + 3 * MINUTE_MS))

    assert await owner.room_for(first)
    owner.take(0, NOW_MS, first)
    assert await owner.room_for(later)
    owner.take(1, NOW_MS + 1, later)
    changes = owner.fold.take()
    owner.fold.committed()
    await owner.close()

    assert changes.meta.applied == 1
    assert owner.fold.clock_ms == NOW_MS + 1
    data = changes.states[b"shop\x1fann"]
    assert data is not None
    visit = msgspec.msgpack.decode(data, type=Visit)
    assert (visit.sessions, visit.events, visit.stage) == (2, 1, 4)
    assert (marks.events, marks.sessions) == (3, 2)
    assert isinstance(owner.fold, VisitFold)
    assert owner.fold.stored == 3
