"""A changelog and a log as each earlier version wrote them: this version goes on from there."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.event import Event
from services.common.kafka import client_options
from services.common.ports import LogRecord
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.codec import VERSION
from services.sessionizer.core.partition import Partition
from services.sessionizer.effects import META_KEY
from services.sessionizer.restore import Restored, restore
from services.sessionizer.states import States
from tests.oracle.compare import Told, differences
from tests.oracle.compare import told as by_key
from tests.sessionizer.record import FOLDER, Kept
from tests.sessionizer.street import TICK
from tests.sessionizer.told import ROWS, RULES

FILES = sorted(FOLDER.glob("states-*.jsonl"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest) -> list[Kept]:
    path = Path(request.param)
    return [msgspec.json.decode(line, type=Kept) for line in path.read_bytes().splitlines()]


async def restored_in_the_middle(settings: Settings, kept: list[Kept]) -> Restored:
    """Write the first half of the changelog's transactions to a broker, and restore it."""
    settings = settings.model_copy(update={"kafka_partitions": 1})
    await ensure_topics(settings)
    changelog = [one for one in kept if one.topic == "states"]
    metas = [place for place, one in enumerate(changelog) if one.key == META_KEY]
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        for one in changelog[: metas[len(metas) // 2] + 1]:
            topic = topic_name(settings, "states")
            await producer.send(topic, one.value, one.key, partition=0)
    return (await restore(settings, [0], lambda *_: None))[0]


def folded(fold: Partition, records: Iterable[Kept]) -> None:
    for one in records:
        fold.apply(LogRecord(one.offset, one.at_ms, one.value or b""))


def events_of(records: Iterable[Kept]) -> list[Event]:
    """Return the events of the log, without ticks and what its own fold had sent on."""
    every = msgspec.json.Decoder(Event).decode_lines
    lines = [event for one in records for event in every(one.value or b"")]
    return [event for event in lines if not event.type.startswith("__") and not event.to]


def told_by(fold: Partition) -> Told:
    """Return the newest statement of every row that the fold tells."""
    lines = fold.take().rows
    every = {
        name: [msgspec.json.decode(line, type=kind) for line in lines.get(name, ())]
        for name, kind in ROWS.items()
    }
    return by_key(Rows(**every))


async def test_the_fold_goes_on_from_the_middle_of_it(
    kafka_settings: Settings, kept: list[Kept]
) -> None:
    """What it tells, with what was told before, is what the whole log says, and no less."""
    found = await restored_in_the_middle(kafka_settings, kept)
    assert found.meta is not None
    assert len(found.states) >= 5
    time, records = RULES.policy.time, [one for one in kept if one.topic == "events"]
    before = Partition(lambda _: RULES, States(), time=time)
    # The states are ahead of the record applied: until the clock is there, absence is on hold.
    ahead_ms = max(found.meta.clock_ms, found.meta.hold_until_ms)
    folded(before, (one for one in records if one.at_ms <= ahead_ms))
    after = Partition(lambda _: RULES, States(found.states), found.meta, time=time)
    folded(after, records)
    last = records[-1]
    for second in range(1, 60):
        after.apply(LogRecord(last.offset + second, last.at_ms + 1_000 * second, TICK))
    truth = by_key(fold_history(events_of(records), lambda _: RULES, last.at_ms + 60_000, 1))
    later = told_by(after)
    assert len(later) >= 20
    assert not differences(truth, told_by(before) | later)


def test_this_version_has_been_recorded() -> None:
    assert f"states-{VERSION}" in {path.stem for path in FILES}
