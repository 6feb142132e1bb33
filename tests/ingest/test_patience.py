"""Who is cut off and who is not, in a loop whose time no slow machine stretches."""

import asyncio

import pytest

from services.ingest.patience import Patience
from tests.support.hurry import hurried


async def wait(patience: Patience, seconds: float) -> str:
    task = patience.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        if not patience.end(task):
            raise
        return "expired"
    finally:
        patience.end(task)
    return "done"


@hurried
async def test_only_waits_that_take_too_long_end() -> None:
    patience = Patience(0.05)
    calls = (wait(patience, seconds) for seconds in (0, 0.01, 5, 0.02, 5))
    assert await asyncio.gather(*calls) == ["done", "done", "expired", "done", "expired"]


@hurried
async def test_a_wait_begun_later_has_its_own_time() -> None:
    patience = Patience(0.08)
    first = asyncio.create_task(wait(patience, 5))
    await asyncio.sleep(0.04)
    assert await wait(patience, 0.05) == "done"
    assert await first == "expired"


@hurried
async def test_whoever_cancels_for_another_reason_is_heard() -> None:
    patience = Patience(5)
    task = asyncio.create_task(wait(patience, 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@hurried
async def test_the_timer_rests_where_nobody_waits() -> None:
    patience = Patience(0.02)
    assert await wait(patience, 0) == "done"
    await asyncio.sleep(0.02)
    assert patience._timer is None
    assert await wait(patience, 5) == "expired"


@hurried
async def test_a_task_may_wait_again_after_it_was_cut_off() -> None:
    patience = Patience(0.02)
    assert await wait(patience, 5) == "expired"
    assert await wait(patience, 0.001) == "done"
    async with asyncio.timeout(1):  # the cancelling has been taken back
        await asyncio.sleep(0)
