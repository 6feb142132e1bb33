"""kill -9 at random moments under load: nothing acknowledged is missing, nothing counts twice."""

import collections
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.standalone.shoppers import SOURCE, Shopper, shopper
from tests.standalone.waymark import Waymark
from tests.support.process import eventually

KILLS = 20
SENDERS = 3


class Load:
    """Senders that repeat each visit until it is acknowledged, as an SDK's queue does."""

    def __init__(self, waymark: Waymark) -> None:
        self._waymark = waymark
        self._key = waymark.key()
        self._numbers = iter(range(1_000_000))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.acknowledged: list[Shopper] = []
        self.repeats = 0
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> list[Shopper]:
        """Let every visit under way be acknowledged, and return all."""
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()
        return self.acknowledged

    def _send(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._waymark.url, headers=headers, timeout=10) as http:
            while not self._stop.is_set():
                with self._lock:
                    number = next(self._numbers)
                one = shopper(number, time.time_ns() // 1_000_000)
                while not self._accepted(http, one):
                    time.sleep(0.05)
                self.acknowledged.append(one)
                time.sleep(0.002)

    def _accepted(self, http: httpx.Client, one: Shopper) -> bool:
        try:
            answer = http.post("/v1/events", json=one.events)
        except httpx.TransportError:
            self.repeats += 1
            return False
        if answer.status_code != 200:
            return False
        assert answer.json()["accepted"] == len(one.events), answer.text
        return True


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_under_load_lose_nothing_and_double_nothing(
    make: Callable[..., Waymark], short_policy: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    dice = random.Random(seed)
    waymark = make(policy=short_policy)
    waymark.start()
    load = Load(waymark)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.05, 0.9))
        waymark.kill()
        waymark.launch()
        if dice.random() < 0.2:  # some die while they start
            time.sleep(dice.uniform(0.0, 0.5))
            waymark.kill()
            waymark.launch()
        waymark.wait_ready()
    sent = load.finish()
    print(f"{len(sent)} visits, {load.repeats} repeats")  # noqa: T201 - the same
    assert len(sent) > KILLS
    check_exactly(waymark, sent)


def check_exactly(waymark: Waymark, sent: list[Shopper]) -> None:
    """Check events, sessions, carts, orders and signals, id by id."""
    eventually(
        lambda: (
            len(list(waymark.rows("/v1/sessions", source=SOURCE))) >= len(sent)
            and not any(row["open"] for row in waymark.rows("/v1/sessions", source=SOURCE))
        ),
        180,
    )
    expected = {id_ for one in sent for id_ in one.signals()}
    eventually(lambda: len(list(waymark.rows("/v1/signals", source=SOURCE))) >= len(expected), 180)
    events = [row["event_id"] for row in waymark.rows("/v1/events", source=SOURCE)]
    once(events, {id_ for one in sent for id_ in one.event_ids()})
    sessions = list(waymark.rows("/v1/sessions", source=SOURCE))
    once([row["session_id"] for row in sessions], {one.session() for one in sent})
    outcomes = {row["session_id"]: row["cart_outcome"] for row in sessions}
    assert outcomes == {one.session(): one.outcome() for one in sent}
    carts = [row["cart_id"] for row in waymark.rows("/v1/carts", source=SOURCE)]
    once(carts, {one.cart() for one in sent} - {None})
    orders = [row["order_id"] for row in waymark.rows("/v1/orders", source=SOURCE)]
    once(orders, {f"order-{one.visitor}" for one in sent if one.story == "buyer"})
    once([row["signal_id"] for row in waymark.rows("/v1/signals", source=SOURCE)], expected)


def once(found: list[str], expected: set[str | None] | set[str]) -> None:
    """Check that exactly the expected ids were found, each once."""
    doubled = [id_ for id_, times in collections.Counter(found).items() if times > 1]
    assert not doubled, doubled[:5]
    missing, strange = expected - set(found), set(found) - expected
    assert not missing, (len(missing), sorted(map(str, missing))[:5])
    assert not strange, (len(strange), sorted(strange)[:5])
