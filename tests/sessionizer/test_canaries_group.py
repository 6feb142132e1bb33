"""What of Faust we rely on when workers come and go: an upgrade that changes it fails here.

Two workers of one group, in one process; each test names the behaviour.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.types import TP

from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.app import make_app
from services.sessionizer.core.policy import SourceRules, Time
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners
from services.sessionizer.tally import Tally
from tests.sessionizer.apps import asking, fail, put, read_by, recovered, running, theirs
from tests.sessionizer.street import TICK
from tests.sessionizer.told import eventually


@pytest.fixture
async def settings(kafka_settings: Settings, tmp_path: Path) -> Settings:
    settings = kafka_settings.model_copy(update={"kafka_partitions": 2, "data": tmp_path})
    await ensure_topics(settings)
    return settings


class Noted(Owners):
    """Owners that note in which order Faust asks them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, lambda _: SourceRules(), Time(), Tally(Metrics()))
        self.asked_for: list[str] = []

    async def freeze(self) -> None:
        self.asked_for.append("freeze")
        await super().freeze()

    async def assign(self, numbers: Iterable[int], generation: int) -> None:
        self.asked_for.append("assign")
        await super().assign(numbers, generation)

    def live(self, number: int) -> Owner | None:
        self.asked_for.append("record")
        return super().live(number)


def worker(settings: Settings, folder: str) -> tuple[Any, Noted]:
    """Return a worker with a folder of its own."""
    settings = settings.model_copy(update={"data": settings.data / folder})
    settings.data.mkdir()
    owners = Noted(settings)
    app, _ = make_app(settings, owners, fail)
    return app, owners


def listening() -> set[str]:
    """Return the sockets on which this process waits for connections."""
    mine: set[str] = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # other threads close theirs meanwhile
            mine.add(str(one.readlink()))
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}


async def test_a_second_worker_takes_its_share_and_disturbs_nothing_else(
    settings: Settings,
) -> None:
    """Revoked is told before the store is asked, and the store before records come.

    What is kept is kept as it is, since generations count by one; a partition that came is
    restored by its owner alone: nobody stands by, and nobody serves the table over HTTP.
    """
    before = listening()
    one, first = worker(settings, "one")
    other, second = worker(settings, "other")
    read = [recovered(one), recovered(other)]
    await asyncio.gather(*(put(settings, *[TICK] * 5, partition=n) for n in (0, 1)))
    async with running(one):
        await eventually(
            asking(lambda: [owner.last for owner in first.by_number.values()] == [4, 4]), "folded"
        )
        assert first.asked_for[first.asked_for.index("assign") :][:2] == ["assign", "record"]
        held = dict(first.by_number)
        first.asked_for.clear()
        async with running(other):
            await eventually(asking(lambda: second.by_number and not first.moving), "shared")
            (kept,), (moved,) = first.by_number, second.by_number
            assert {kept, moved} == {0, 1}
            assert first.by_number[kept] is held[kept], "a generation went by unseen"
            asked = [what for what in first.asked_for if what != "record"]
            assert asked == ["freeze", "assign"]
            await put(settings, TICK, partition=kept)
            await put(settings, TICK, partition=moved)
            await eventually(asking(lambda: first.by_number[kept].last == 5), "folded on")
            await eventually(asking(lambda: second.by_number[moved].last == 5), "folded on")
            assert not one.assignor.assigned_standbys()
            assert not other.assignor.assigned_standbys()
            assert read == [[], []]
            assert listening() == before
            await second.close()
        await first.close()
    await asyncio.gather(first.stop(), second.stop())
    assert faust.App("plain").conf.table_standby_replicas == 1
    assert faust.App("plain").conf.web_enabled


async def test_whoever_was_given_nothing_for_want_of_topics_is_given_them_when_they_are_known(
    kafka_settings: Settings, tmp_path: Path
) -> None:
    """A broker that has just come back knows of no topic; Faust then gives nobody anything.

    Until the leader's metadata change, which are asked for every five minutes by default.
    """
    settings = kafka_settings.model_copy(update={"kafka_partitions": 2, "data": tmp_path})
    app, owners = worker(settings, "early")
    async with running(app):
        await eventually(asking(lambda: "assign" in owners.asked_for), "assigned nothing")
        assert not owners.by_number
        await ensure_topics(settings)
        await eventually(asking(lambda: set(owners.by_number) == {0, 1}), "assigned")
        await owners.close()
    await owners.stop()


def reading(settings: Settings, folder: str, places: list[tuple[int, int]]) -> Any:
    """Return an app that notes partition and offset of what it reads, and acknowledges nothing."""
    app = theirs(settings, folder=folder, stream_wait_empty=False)
    events = app.topic(topic_name(settings, "events"), value_serializer="raw", acks=False)

    def note(event: Any) -> None:
        places.append((event.message.partition, event.message.offset))

    read_by(app, events, note, noack=True)
    return app


async def test_a_kept_partition_is_read_again_from_the_groups_offset(settings: Settings) -> None:
    """So what is left out while the group rebalances comes again, and repeats are skipped.

    Nothing is acknowledged here, and the rebalance ends all the same.
    """
    topic = topic_name(settings, "events")
    seen: dict[str, list[tuple[int, int]]] = {"one": [], "other": []}
    apps = {name: reading(settings, name, places) for name, places in seen.items()}
    await asyncio.gather(*(put(settings, *[TICK] * 6, partition=n) for n in (0, 1)))
    async with running(apps["one"]) as one:
        await eventually(asking(lambda: len(seen["one"]) == 12), "read")
        assert await one.consumer._commit({TP(topic, 0): 4, TP(topic, 1): 4})
        seen["one"].clear()
        async with running(apps["other"]):
            await eventually(asking(lambda: len(seen["one"]) == len(seen["other"]) == 2), "again")
    kept, moved = seen["one"][0][0], seen["other"][0][0]
    assert {kept, moved} == {0, 1}
    assert seen == {"one": [(kept, 4), (kept, 5)], "other": [(moved, 4), (moved, 5)]}


async def test_what_a_handler_raises_crashes_the_app_and_is_kept(settings: Settings) -> None:
    """The worker looks at ``crashed``, and ends: Faust itself would stay, and do nothing."""
    app = theirs(settings)
    events = app.topic(topic_name(settings, "events"), value_serializer="raw", acks=False)
    read_by(app, events, lambda _: None, noack=True)
    problem = ValueError("not this one")

    async def refuse(*_: Any, **_options: Any) -> None:
        raise problem

    app.on_partitions_assigned.connect(refuse)
    async with running(app):
        await eventually(asking(lambda: app.crashed), "crashed")
        assert app.crash_reason is problem
