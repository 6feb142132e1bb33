"""A history split at any point between one partition and many gives the rows of one alone."""

from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event, address_of
from schemas.spans import DAY_MS, HOUR_MS
from services.common.partitions import key_of, partition_of
from services.common.ports import Changes, LogRecord, PartitionMeta
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from services.standalone.outgrow.states import first_meta
from tests.oracle.compare import differences, told
from tests.oracle.feed import MINUTE, TICK, Feed, arrivals
from tests.oracle.shop import T0, TEA, does
from tests.oracle.strategies import RULES, histories
from tests.support.memory import MemoryStates

GRACE = 30_000
LATER = st.sampled_from([33 * MINUTE, 48 * MINUTE + 1, DAY_MS + HOUR_MS, 8 * DAY_MS])


def at_rest(feed: Feed) -> PartitionMeta:
    """Bring a feed to rest as the move does, and return where its fold stands."""
    feed.commit()
    feed.append(feed.log[-1].append_ms + GRACE, [TICK])
    feed.commit()
    assert feed.meta is not None
    assert feed.meta.applied == feed.log[-1].offset, "something waits"
    return feed.meta


class Many:
    """Partitions that take over a feed's states, each with its own log; rows go to the feed's."""

    def __init__(self, feed: Feed, meta: PartitionMeta, partitions: int) -> None:
        self.feed = feed
        self.states = [MemoryStates() for _ in range(partitions)]
        for key, value in feed.states.items():
            self.states[partition_of(key, partitions)].kept[key] = value
        metas = [first_meta(meta, partitions)] * partitions
        self.parts = [
            Partition(lambda _: feed.rules, states, meta)
            for states, meta in zip(self.states, metas, strict=True)
        ]
        self.ends = [-1] * partitions
        self.now_ms = meta.clock_ms

    def append(self, append_ms: int, events: Iterable[Event]) -> None:
        """Append to each partition what is its own, and a tick where nothing is."""
        self.now_ms = append_ms
        shares: dict[int, list[Event]] = {}
        for event in events:
            key = key_of(event.source, address_of(event))
            shares.setdefault(partition_of(key, len(self.parts)), []).append(event)
        for number in range(len(self.parts)):
            self._apply(number, shares.get(number, [TICK]))
        self._commit()

    def _apply(self, number: int, events: list[Event]) -> None:
        self.ends[number] += 1
        body = b"\n".join(map(msgspec.json.encode, events))
        assert not self.parts[number].apply(LogRecord(self.ends[number], self.now_ms, body))

    def _commit(self) -> None:
        """Store what changed, and carry what is forwarded until nothing more is."""
        carried = True
        while carried:
            forwards: dict[int, list[Event]] = {}
            for number, partition in enumerate(self.parts):
                self._take(partition, self.states[number], forwards)
            for number, events in forwards.items():
                self._apply(number, events)
            carried = bool(forwards)

    def _take(
        self, partition: Partition, states: MemoryStates, forwards: dict[int, list[Event]]
    ) -> None:
        changes: Changes = partition.take()
        states.commit(changes)
        partition.committed()
        for table, lines in changes.rows.items():
            for line in lines:
                self.feed._keep(table, line)
        for one in changes.forwards:
            number = partition_of(key_of(one.source, one.address), len(self.parts))
            forwards.setdefault(number, []).append(msgspec.json.decode(one.line, type=Event))

    def finish(self, as_of_ms: int) -> None:
        """Let time pass as a feed does."""
        if as_of_ms - 16 * MINUTE > self.now_ms:
            self.append(as_of_ms - 16 * MINUTE, [TICK])
        while self.now_ms + 10_000 < as_of_ms:
            self.append(self.now_ms + 10_000, [TICK])
        self.append(as_of_ms, [TICK])


Arrived = list[tuple[int, list[Event]]]


def alone(rules: SourceRules, arrived: Arrived, as_of_ms: int) -> Feed:
    feed = Feed(rules)
    for append_ms, some in arrived:
        feed.append(append_ms, some)
        feed.commit()
    feed.finish(as_of_ms)
    return feed


def moved(
    rules: SourceRules, arrived: Arrived, as_of_ms: int, *, at: int, away_ms: int, partitions: int
) -> Feed:
    """Fold the first part in one partition, move, and the rest in many, ``away_ms`` later."""
    feed = Feed(rules)
    for append_ms, some in arrived[:at]:
        feed.append(append_ms, some)
        feed.commit()
    many = Many(feed, at_rest(feed), partitions)
    for append_ms, some in arrived[at:]:
        many.append(max(append_ms, many.now_ms) + away_ms, some)
        away_ms = 0
    many.finish(as_of_ms)
    return feed


@settings(max_examples=60, deadline=None)
@given(events=histories(), rules=RULES, later_ms=LATER, data=st.data())
def test_a_history_that_moves_on_the_way_gives_the_rows_of_one_that_does_not(
    events: list[Event], rules: SourceRules, later_ms: int, data: st.DataObject
) -> None:
    """Links and orders between visitors included; what came late is marked for the rebuild."""
    arrived = arrivals(events, [0] * len(events), 0)
    at = data.draw(st.integers(1, len(arrived)), label="moves after")
    partitions = data.draw(st.sampled_from([1, 2, 7, 64]), label="partitions")
    away_ms = data.draw(st.sampled_from([0, 1_000, 5 * MINUTE]), label="away")
    as_of_ms = arrived[-1][0] + 2 * 5 * MINUTE + later_ms
    one = alone(rules, arrived, as_of_ms)
    other = moved(rules, arrived, as_of_ms, at=at, away_ms=away_ms, partitions=partitions)
    marked = {flag.visitor_id for flag in [*one.flags, *other.flags]}
    assert differences(told(one), told(other), marked) == []


def test_a_cart_left_before_the_move_is_abandoned_after_it_at_its_own_time() -> None:
    events = [does("page_view", 0), does("cart_add", 5_000, products=[TEA])]
    arrived = [(event.ts_ms, [event]) for event in events]
    feed = moved(SourceRules(), arrived, T0 + 3 * HOUR_MS, at=2, away_ms=0, partitions=8)
    (signal,) = [one for one in feed.signals if one.kind == "cart_abandoned"]
    assert signal.at_ms == T0 + 5_000 + 30 * MINUTE
