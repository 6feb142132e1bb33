"""The same file in; out come the same sessions, carts, orders, signals and metrics, row by row."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.journey.answers import (
    differences,
    one_by_one,
    questions,
    renamed,
    rows,
    without_own,
)
from tests.journey.installations import Installation
from tests.journey.street import REFUSED, Both

WAIT = 120.0
PAUSE_SECONDS = 0.5
TOLD_AT = re.compile(r"\S+Z by the")
"""When each installation got round to telling a signal; what decided it is the same."""


@pytest.fixture(scope="module")
def told(both: Both) -> Both:
    """Send the file, then the orders that come late; return when all is over."""
    both.send()
    for installation in both.each():
        _until(partial(_over, installation, both))
        assert installation.post("shop", both.late)["accepted"] == len(both.late)
    for installation in both.each():
        _until(partial(_taken_back, installation))
        _until(partial(_stored, installation, both, len(both.late)))
        _until(partial(_loaded, installation))
    return both


def _until(what: Callable[[], bool]) -> None:
    """Wait; asking for whole lists is work, so it is done seldom."""
    until = time.monotonic() + WAIT
    while not what():
        assert time.monotonic() < until, f"not within {WAIT} s"
        time.sleep(PAUSE_SECONDS)


def _stored(of: Installation, both: Both, more: int = 0) -> bool:
    wanted = sum(len(events) for events in both.file.values()) + more
    lists = (of.rows("/v1/events", source=source) for source in both.file)
    return sum(len(list(rows)) for rows in lists) == wanted


def _over(of: Installation, both: Both) -> bool:
    """Tell whether nothing is left that an hour without events would change."""
    if not _stored(of, both):
        return False
    sessions = [row for source in both.file for row in of.rows("/v1/sessions", source=source)]
    left = [row for row in of.rows("/v1/carts", source="shop") if row["outcome"] == "open"]
    return bool(sessions) and not left and not any(row["open"] for row in sessions)


def _taken_back(of: Installation) -> bool:
    back = of.rows("/v1/signals", source="shop", retracted=True)
    orders = {row["order_id"] for row in of.rows("/v1/orders", source="shop")}
    return len({row["visitor_id"] for row in back}) == 2 and orders >= {"late-1", "late-2"}


def _loaded(of: Installation) -> bool:
    """Tell whether storage has every table's rows: it gets one table after the other."""
    hops = {hop["name"]: hop["lag"] for hop in of.get("/v1/health/pipeline")["hops"]}
    return bool(hops["rows"] == hops["events"] == 0)


def test_every_row_is_the_same_in_both(told: Both) -> None:
    one, many = (json.loads(renamed(rows(found), found)) for found in told.each())
    assert not differences(one, many)
    kinds = {row["kind"] for row in one["shop/signals"]}
    assert kinds >= {
        "stage_entered", "bounce", "browse_abandoned", "cart_abandoned", "checkout_abandoned",
        "cart_recovered", "cart_emptied", "converted", "rage_click", "dead_click", "u_turn",
        "form_struggle", "error", "support_sought", "slow_page", "out_of_stock",
    }  # fmt: skip
    assert {row["outcome"] for row in one["shop/carts"]} == {
        "abandoned", "recovered", "converted", "emptied",
    }  # fmt: skip
    assert {row["order_id"]: row["value"] for row in one["outlet/orders"]} == {
        "o-guest-2": "2400",
        "o-guest-5": "2400",
    }
    assert {row["bot"] for row in one["shop/sessions"]} == {True, False}
    assert len(one["shop/dead-letters"]) == len(REFUSED)


def test_late_orders_of_an_alias_take_signals_back_in_both(told: Both) -> None:
    for installation in told.each():
        for number in range(2):
            (cart,) = installation.rows("/v1/carts", source="shop", visitor_id=f"late-{number}")
            assert (cart["outcome"], cart["order_id"]) == ("converted", f"late-{number + 1}")


def _answers(told: Both, asked: list[tuple[str, dict[str, Any]]]) -> list[list[Any]]:
    """Return what each of them answers, both asked at once."""

    def answers(of: Installation) -> list[Any]:
        return [of.get(path, **parameters) for path, parameters in asked]

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(answers, told.each()))


def test_metrics_are_the_same_in_both(told: Both) -> None:
    asked = list(questions(told.standalone, told.start_ms))
    assert len(asked) > 100
    one, many = _answers(told, asked)
    different = [
        f"{question}: {left} / {right}"
        for question, left, right in zip(asked, one, many, strict=True)
        if left != right
    ]
    assert not different, different[:20]
    assert any(row["value"] for answer in one for row in answer)


def test_what_is_looked_at_one_by_one_is_the_same_in_both(told: Both) -> None:
    asked = list(one_by_one(told.standalone))
    for question, one, many in zip(asked, *_answers(told, asked), strict=True):
        assert without_own(one) == without_own(many), question


def test_sources_are_the_same_in_both(told: Both) -> None:
    one, many = (
        [row for row in found.get("/v1/sources")["rows"] if row["name"] in told.file]
        for found in told.each()
    )
    for row in (*one, *many):
        assert row.pop("events") > 0  # about how many: a repeat may count
    assert without_own(one) == without_own(many)
    assert len(one) == len(told.file)


def test_explanations_are_the_same_in_both(told: Both) -> None:
    chosen = [
        next(told.standalone.rows(f"/v1/{kind}", source="shop", visitor_id=who))
        for kind, who in (("sessions", "hooked"), ("carts", "hooked"), ("signals", "struggling"))
    ]
    ids = [row.get("signal_id") or row.get("session_id") for row in chosen]
    for entity in [*ids, chosen[1]["cart_id"]]:
        one, many = (found.get(f"/v1/explain/{entity}") for found in told.each())
        assert TOLD_AT.sub("", one["text"]) == TOLD_AT.sub("", many["text"])
        assert one["reproduced"] is True
        for name in ("kind", "rule", "thresholds", "policy_version", "reproduced"):
            assert one[name] == many[name], name
        ids_of = [[event["event_id"] for event in found["events"]] for found in (one, many)]
        assert ids_of[0] == ids_of[1]
        assert ids_of[0]
