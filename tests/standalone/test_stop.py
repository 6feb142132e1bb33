"""A stop while something cannot end: the process ends all the same, and closes nothing under it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from services.standalone.folder import Folder
from tests.standalone.shoppers import shopper
from tests.standalone.test_process import stage
from tests.support.process import eventually

Make = Callable[..., Any]


@pytest.mark.timeout(180)
def test_a_thread_that_waits_for_the_disk_is_left_and_its_turn_taken_again(make: Make) -> None:
    waymark = make()
    waymark.start()
    with closing(sqlite3.connect(Folder(waymark.data).state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing can be stored from here on
        visit = shopper(1, time.time_ns() // 1_000_000)
        assert waymark.post(visit.events)["accepted"] == len(visit.events)
        assert waymark.stop() == 0
    said = waymark.text()
    assert "a thread did not end in time" in said
    assert "closed database" not in said
    assert "fatal" not in said
    waymark.start()
    eventually(lambda: stage(waymark, visit.visitor) == "intent")
    assert waymark.stop() == 0
