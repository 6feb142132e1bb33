"""What an erasure beside workers says it took away is what was there."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import pytest

from schemas.event import Event
from services.common.clickhouse import ClickHouse, open_storage
from services.common.ports import Outgoing
from services.history.distributed.forget import forget
from services.history.distributed.live import Link
from services.loader.event_rows import rows_of_events
from services.loader.migrate import migrate
from tests.support.clock import ManualClock

NOW = 1_790_000_000_000
NOBODY = {"visitor_id": "", "user_id": ""}


class Workers(Link):
    """Workers in memory: at each address its state, which a ``__forget`` changes or takes away."""

    def __init__(self, states: dict[str, bytes], kept: Collection[str] = ()) -> None:
        """Begin; nothing of what a link connects to is made."""
        self.at = states
        self.kept = kept
        self.told: list[str] = []

    def append(self, items: Sequence[Outgoing]) -> None:
        for item in items:
            address = msgspec.json.decode(item.line, type=Event).to
            self.told.append(address)
            if address in self.kept:
                self.at[address] += b" without"
            else:
                self.at.pop(address, None)

    def settle(self) -> None:
        """Nothing waits."""

    def read_on(self) -> int:
        return NOW

    def states(self, source: str, addresses: Iterable[str]) -> dict[str, bytes]:
        return {one: self.at[one] for one in addresses if one in self.at}


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
    workers = Workers({"ann": b"visit", "cart:c": b"links", "bob": b"visit"}, kept={"cart:c"})
    assert went(workers, storage, user_id="u") == (2, 2, 1)
    assert set(workers.told) == {"ann", "user:u", "cart:c", "order:o"}
    assert workers.at == {"cart:c": b"links without", "bob": b"visit"}
    assert went(workers, storage, user_id="u") == (0, 0, 0), "nothing is left"


def test_a_person_of_history_alone_has_no_state(storage: ClickHouse) -> None:
    assert went(Workers({}), storage, visitor_id="ann") == (1, 0, 1)


def test_a_person_whom_storage_does_not_know_yet_may_have_a_state(storage: ClickHouse) -> None:
    assert went(Workers({"new": b"visit"}), storage, visitor_id="new") == (1, 1, 0)
    assert went(Workers({}), storage, visitor_id="nobody") == (0, 0, 0)
