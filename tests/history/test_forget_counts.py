"""What an erasure beside workers says it took away is what was there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import pytest

from schemas.event import Event
from services.common.clickhouse import ClickHouse, open_storage
from services.common.ports import Outgoing
from services.history.distributed.forget import forget
from services.history.distributed.live import Link
from services.loader.event_rows import rows_of_events
from services.loader.migrate import migrate
from services.sessionizer.core.codec import Codec, State
from services.sessionizer.core.links import Alias
from tests.support.clock import ManualClock

NOW = 1_790_000_000_000
VISIT = State(frontier=(NOW, 1, "e1"), hashes=b"12345678", seen_ms=NOW)
NOTHING: Mapping[str, State] = {}
NOBODY = {"visitor_id": "", "user_id": ""}


class Workers(Link):
    """Workers in memory: at each address a state, of which a ``__forget`` leaves what is ``kept``.

    Of any other it leaves the note that somebody was forgotten there.
    """

    def __init__(self, states: dict[str, State], kept: Mapping[str, State] = NOTHING) -> None:
        """Begin; nothing of what a link connects to is made."""
        self.at = states
        self.kept = kept
        self.told: list[str] = []

    def append(self, items: Sequence[Outgoing]) -> None:
        for item in items:
            address = msgspec.json.decode(item.line, type=Event).to
            self.told.append(address)
            note = State(frontier=(NOW, 9, ""), seen_ms=NOW, forgot=len(self.told))
            self.at[address] = self.kept.get(address, note)

    def settle(self) -> None:
        """Nothing waits."""

    def read_on(self) -> int:
        return NOW

    def states(self, source: str, addresses: Iterable[str]) -> dict[str, bytes]:
        codec = Codec()
        return {
            one: codec.encode_unsettled(self.at[one], []) for one in addresses if one in self.at
        }


@pytest.fixture
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, "forget_counts")
    migrate(opened)
    event = Event("cart_add", "e1", "shop", "ann", NOW, NOW, user_id="u", cart_id="c", order_id="o")
    opened.insert("events", list(rows_of_events([event])), "one")
    yield opened
    opened.command("TRUNCATE TABLE events")
    opened.close()


def went(workers: Workers, storage: ClickHouse, **who: str) -> tuple[int, int, int]:
    found = forget(workers, storage, ManualClock(NOW), "shop", **NOBODY | who)
    return found["visitors"], found["states"], found["events"]


def test_states_are_those_that_were_there_however_many_addresses_are_told(
    storage: ClickHouse,
) -> None:
    both, alone = links("ann", "bob"), links("bob")
    workers = Workers({"ann": VISIT, "cart:c": both, "bob": VISIT}, kept={"cart:c": alone})
    assert went(workers, storage, user_id="u") == (2, 2, 1)
    assert set(workers.told) == {"ann", "user:u", "cart:c", "order:o"}
    assert (workers.at["cart:c"], workers.at["bob"]) == (alone, VISIT)
    assert went(workers, storage, user_id="u") == (0, 0, 0), "nothing is left but that it was"


def test_a_person_of_history_alone_has_no_state(storage: ClickHouse) -> None:
    assert went(Workers({}), storage, visitor_id="ann") == (1, 0, 1)


def test_a_person_whom_storage_does_not_know_yet_may_have_a_state(storage: ClickHouse) -> None:
    assert went(Workers({"new": VISIT}), storage, visitor_id="new") == (1, 1, 0)
    assert went(Workers({}), storage, visitor_id="nobody") == (0, 0, 0)


def links(*visitors: str) -> State:
    return State(alias=Alias(base=1, linked=dict.fromkeys(visitors, 1)))
