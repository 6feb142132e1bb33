"""How soon rows are in storage: what both loaders promise, on a clock that is moved by hand."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader.pace import (
    ARRIVES_MS,
    BATCH_ROWS,
    BATCH_SECONDS,
    INSERT_SECONDS,
    REST_SECONDS,
    ROWS_SECONDS,
    Pace,
)

turns = st.lists(st.floats(0.0, INSERT_SECONDS), min_size=1, max_size=40)
"""How long one turn after the other takes."""


def loop(pace: Pace, turns: list[float]) -> Iterator[tuple[float, float]]:
    """Run turns that always find rows; yield when those with rows gathered and ended."""
    now = 0.0
    for took in turns:
        rows = pace.rows_due(now)
        ended = now + took
        if rows:
            yield now, ended
        now = ended + pace.rest(now, ended, 1, rows=rows)


@settings(deadline=None)
@given(turns=turns)
def test_a_row_is_in_storage_by_then_however_pressed_the_loop_is(turns: list[float]) -> None:
    brought = list(loop(Pace(), turns))
    for (gathered, _), (_, ended) in pairwise(brought):
        # The row that waits longest was made just after the earlier turn had gathered.
        assert (ended - gathered) * 1_000 <= ARRIVES_MS


def test_a_loop_with_little_to_do_turns_every_quarter_second() -> None:
    assert Pace().rest(10.0, 10.0, 3, rows=False) == BATCH_SECONDS
    assert abs(Pace().rest(10.0, 10.05, 3, rows=False) - 0.2) < 1e-9


def test_a_pressed_loop_rests_longer_so_that_inserts_grow_but_not_for_ever() -> None:
    assert Pace().rest(10.0, 10.25, 3_000, rows=False) == 0.75
    assert Pace().rest(10.0, 20.0, 3_000, rows=False) == REST_SECONDS


def test_after_a_large_batch_there_is_no_rest() -> None:
    assert Pace().rest(10.0, 12.0, BATCH_ROWS, rows=True) == 0.0


def test_rows_are_due_at_first_and_then_every_so_often() -> None:
    pace = Pace()
    assert pace.rows_due(0.0)
    pace.rest(10.0, 10.1, 5, rows=False)
    assert pace.rows_due(10.5)
    pace.rest(10.5, 10.6, 5, rows=True)
    assert not pace.rows_due(10.5 + ROWS_SECONDS - 0.01)
    assert pace.rows_due(10.5 + ROWS_SECONDS)
