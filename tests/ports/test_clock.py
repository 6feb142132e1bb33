"""The Clock port: what every backend promises."""

import time

import pytest

from services.common.clock import SystemClock
from services.common.ports import Clock
from tests.support.clock import ManualClock


@pytest.fixture(params=[SystemClock, ManualClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_it_tells_whole_milliseconds_since_the_epoch(clock: Clock) -> None:
    now = clock.now_ms()
    assert isinstance(now, int)
    assert 1_700_000_000_000 < now < 4_000_000_000_000


def test_the_system_clock_is_the_wall_clock() -> None:
    assert abs(SystemClock().now_ms() - time.time() * 1000) < 1_000


def test_the_manual_clock_stands_until_moved_and_moves_both_ways() -> None:
    clock = ManualClock()
    start = clock.now_ms()
    clock.move(5_000)
    assert clock.now_ms() == start + 5_000
    clock.move(-7_000)
    assert clock.now_ms() == start - 2_000
