"""kill -9 in the middle of an erasure: whoever repeats it erases all, and nobody else loses."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.errors import WaymarkError
from services.common.ports import nothing
from services.standalone import control
from services.standalone.folder import Folder
from tests.standalone.shoppers import SOURCE, Shopper, shopper
from tests.standalone.waymark import Waymark
from tests.support.process import eventually

LEAVING = "Zkq7-the-one-who-leaves"
KILLS = 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_erasure_that_dies_is_completed_by_repeating_it(
    make: Callable[..., Waymark], short_policy: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    dice = random.Random(seed)
    waymark = make(policy=short_policy)
    waymark.start()
    stays = [shopper(number, time.time_ns() // 1_000_000) for number in range(30)]
    for one in stays:
        waymark.post(one.events)
    for _ in range(KILLS):
        waymark.post(leaving())
        eventually(lambda: LEAVING in visitors(waymark))
        asking = threading.Thread(target=ask, args=(waymark,))
        asking.start()
        time.sleep(dice.uniform(0.0, 0.4))
        os.kill(waymark.pid, signal.SIGKILL)
        asking.join(60)
        waymark.wait()
        waymark.start()
    ask(waymark)
    assert waymark.stop() == 0
    left = [path for path in waymark.data.rglob("*") if path.is_file() and named_in(path)]
    assert not left
    waymark.start()
    assert visitors(waymark) == {one.visitor for one in stays}
    check_whole(waymark, stays)


def leaving() -> list[dict[str, object]]:
    now_ms = time.time_ns() // 1_000_000
    goods = [{"product_id": "p1", "price": "12.50", "quantity": 2}]
    kinds = ("product_view", "cart_add")
    return [
        {"type": kind, "visitor_id": LEAVING, "ts_ms": now_ms - 10 + n, "products": goods}
        for n, kind in enumerate(kinds)
    ]


def ask(waymark: Waymark) -> None:
    """Ask for the erasure, as ``waymark forget`` does; the process may die meanwhile."""
    wanted = {"source": SOURCE, "visitor_id": LEAVING}
    try:
        control.ask(Folder(waymark.data).control, "forget", wanted, nothing)
    except (WaymarkError, OSError, EOFError):
        assert waymark.pid, "it was killed, not stopped"


def visitors(waymark: Waymark) -> set[str]:
    return {row["visitor_id"] for row in waymark.rows("/v1/events", source=SOURCE)}


def named_in(path: Path) -> bool:
    return LEAVING.encode() in path.read_bytes()


def check_whole(waymark: Waymark, stays: list[Shopper]) -> None:
    """Check that every other visit stands whole."""
    eventually(
        lambda: (
            {row["session_id"]: row["cart_outcome"] for row in sessions(waymark)}
            == {one.session(): one.outcome() for one in stays}
        )
    )


def sessions(waymark: Waymark) -> list[dict[str, object]]:
    return list(waymark.rows("/v1/sessions", source=SOURCE))
