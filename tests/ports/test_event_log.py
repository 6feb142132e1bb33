"""Both ends of the log, and refused events: one suite, against the real log and one in memory.

What the writing end alone promises is also asked of the one on Kafka, over a real broker.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.rows import DeadLetter
from services.common.clock import SystemClock
from services.common.ports import Outgoing
from services.common.topics_made import ensure_topics
from services.ingest.kafka_publisher import KafkaPublisher
from services.standalone.log import SqliteLog
from tests.support.clock import ManualClock
from tests.support.kafka import read_all, settings_for
from tests.support.memory import MemoryLog

PATIENCE_SECONDS = 120.0
"""A busy machine's broker is waited for: what is written is asked here, not how soon."""

Log = SqliteLog | MemoryLog
Writer = SqliteLog | MemoryLog | KafkaPublisher


def item(text: str) -> Outgoing:
    return Outgoing("shop", "v1", f'{{"type":"click","event_id":"{text}"}}'.encode())


def letter(name: str) -> DeadLetter:
    return DeadLetter(
        id=name,
        source="shop",
        received_ms=1,
        code="too_old",
        field="ts_ms",
        message="",
        original="",
    )


def lines(log: Log, after: int = 0) -> list[bytes]:
    return [line for record in log.read(after, 1 << 20) for line in record.body.split(b"\n")]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "memory"])
def log(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[Log]:
    if request.param == "memory":
        yield MemoryLog(clock)
        return
    errors: list[BaseException] = []
    real = SqliteLog(tmp_path / "log.db", clock, on_fatal=errors.append)
    yield real
    real.close()
    assert not errors


class Written:
    """A writing end, and what a reader finds of it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def lines(self) -> list[bytes]:
        if isinstance(self.writer, KafkaPublisher):
            records = await read_all(self.writer.settings, "events")
            return [line for one in records for line in one.value.split(b"\n")]
        return lines(self.writer)

    async def letters(self) -> list[str]:
        """Return the ids of the letters as storage has them: each once, whatever came again."""
        if isinstance(self.writer, MemoryLog):
            return list(self.writer.letters)
        if isinstance(self.writer, SqliteLog):
            return _ids(self.writer)
        records = await read_all(self.writer.settings, "dead-letters")
        return sorted({msgspec.json.decode(one.value, type=DeadLetter).id for one in records})


@pytest.fixture(params=["sqlite", "memory", "kafka"])
async def written(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Written]:
    if request.param == "memory":
        yield Written(MemoryLog(SystemClock()))
        return
    if request.param == "kafka":
        settings = settings_for(request.getfixturevalue("kafka"))
        await ensure_topics(settings, ["events", "dead-letters"])
        publisher = KafkaPublisher(settings, patience_seconds=PATIENCE_SECONDS)
        await publisher.start()
        yield Written(publisher)
        await publisher.stop()
        return
    errors: list[BaseException] = []
    real = SqliteLog(tmp_path / "log.db", SystemClock(), on_fatal=errors.append)
    yield Written(real)
    real.close()
    assert not errors


async def test_a_new_log_is_empty(log: Log) -> None:
    assert log.end() == 0
    assert log.read(0, 1_000) == []


async def test_what_was_published_is_read_in_order(written: Written) -> None:
    await written.writer.publish([item("a"), item("b")])
    await written.writer.publish([item("c")])
    assert await written.lines() == [item(name).line for name in "abc"]


async def test_what_is_published_together_keeps_its_order(written: Written) -> None:
    names = [str(n) for n in range(100)]
    await asyncio.gather(*[written.writer.publish([item(name)]) for name in names])
    assert await written.lines() == [item(name).line for name in names]


async def test_many_publishers_at_once_lose_and_double_nothing(written: Written) -> None:
    await asyncio.gather(*[written.writer.publish([item(str(n))]) for n in range(200)])
    assert sorted(await written.lines()) == sorted(item(str(n)).line for n in range(200))


async def test_the_append_time_is_about_now_and_never_goes_back(written: Written) -> None:
    before = time.time_ns() // 1_000_000
    first = await written.writer.publish([item("a")])
    second = await written.writer.publish([item("b")])
    assert before <= first <= second <= time.time_ns() // 1_000_000


async def test_a_kept_letter_is_kept_once(written: Written) -> None:
    await written.writer.keep([letter("x"), letter("y")])
    await written.writer.keep([letter("x")])
    assert await written.letters() == ["x", "y"]


async def test_offsets_grow_and_the_end_is_the_last_of_them(log: Log) -> None:
    for n in range(3):
        await log.publish([item(str(n))])
    offsets = [record.offset for record in log.read(0, 1 << 20)]
    assert offsets == sorted(set(offsets))
    assert log.end() == offsets[-1]


async def test_the_append_time_is_the_wall_clock_and_is_returned(
    log: Log, clock: ManualClock
) -> None:
    clock.move(1_234)
    assert await log.publish([item("a")]) == clock.now_ms()
    assert log.read(0, 1_000)[-1].append_ms == clock.now_ms()


async def test_the_append_time_stands_still_after_the_clock_went_back(
    log: Log, clock: ManualClock
) -> None:
    first = await log.publish([item("a")])
    clock.move(-60_000)
    assert await log.publish([item("b")]) == first
    clock.move(61_000)
    assert await log.publish([item("c")]) == first + 1_000


async def test_a_read_goes_on_after_an_offset_and_gives_one_record_at_least(log: Log) -> None:
    for n in range(3):
        await log.publish([item(str(n))])
    first = log.read(0, 1)
    assert len(first) == 1
    assert lines(log, first[0].offset) == [item("1").line, item("2").line]


async def test_trimmed_records_are_gone_and_the_rest_stays(log: Log) -> None:
    for n in range(4):
        await log.publish([item(str(n))])
    second = log.read(0, 1 << 20)[1].offset
    assert log.trim(second) == 2
    assert lines(log) == [item("2").line, item("3").line]
    assert log.trim(second) == 0


async def test_the_newest_record_survives_trimming_so_that_offsets_go_on(log: Log) -> None:
    for n in range(3):
        await log.publish([item(str(n))])
    end = log.end()
    assert log.trim(end) == 2
    assert log.end() == end
    await log.publish([item("next")])
    assert log.end() > end


def _ids(log: SqliteLog) -> list[str]:
    return [
        msgspec.json.decode(body, type=DeadLetter).id
        for _, body in log.read_dead_letters(0, limit=10)
    ]
