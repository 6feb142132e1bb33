"""Storage that is away: events, the live view and the stream of signals go on without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.journey.installations import Installation
from tests.journey.street import Both
from tests.journey.test_stream import Reader, stored, visit
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.process import eventually

WAIT = 90.0


@contextmanager
def following(of: Installation, visitor: str) -> Iterator[Reader]:
    """Follow a visitor's signals from now on."""
    reader = Reader(of, visitor_id=visitor)
    try:
        eventually(reader.place, WAIT)
        yield reader
    finally:
        reader.close()


def test_all_but_the_past_goes_on_while_storage_is_away(
    both: Both, clickhouse: ClickHouseProcess
) -> None:
    made = both.distributed
    with following(made, "undeterred") as reader:
        clickhouse.kill()
        try:
            visit(made, "undeterred")
            live = eventually(lambda: made.live("desk", "undeterred"), WAIT)
            assert live["current_stage"] == "interest"
            assert not live["past_known"]
            assert made.ask("/v1/signals", source="desk").status_code == 503
            eventually(lambda: len(reader.settled()) >= 2, WAIT)
        finally:
            clickhouse.start()
    eventually(lambda: stored(made, "undeterred") == set(reader.settled()), WAIT)
    events = partial(made.rows, "/v1/events", source="desk", visitor_id="undeterred")
    eventually(lambda: len(list(events())) >= 2, WAIT)
    assert len(list(events())) == 2
    eventually(lambda: made.live("desk", "undeterred"), WAIT)
