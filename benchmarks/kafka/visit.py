"""The small visitor-session state that every engine of this benchmark keeps, and its marks.

Imports nothing but the standard library: peers run it in an environment of their own. The rule, for
each visitor: a gap of more than 30 minutes starts a session; a session counts its events and page
views, and keeps its furthest stage.
"""

import argparse
import json
from typing import Any

GAP_MS = 30 * 60_000
STAGES = {"page_view": 1, "product_view": 2, "cart_add": 3, "checkout_start": 3, "purchase": 4}

Visit = dict[str, int]


def fold(visit: Visit | None, event: dict[str, Any]) -> Visit:
    """Return the visitor's state after an event; ``visit`` is changed in place."""
    at, kind = event["ts_ms"], event["type"]
    if visit is None:
        visit = {
            "sessions": 0,
            "last": -GAP_MS * 2,
            "start": 0,
            "events": 0,
            "pages": 0,
            "stage": 0,
        }
    if at - visit["last"] > GAP_MS:
        visit["sessions"] += 1
        visit["start"] = at
        visit["events"] = visit["pages"] = visit["stage"] = 0
    visit["last"] = max(visit["last"], at)
    visit["events"] += 1
    visit["pages"] += kind == "page_view"
    visit["stage"] = max(visit["stage"], STAGES.get(kind, 0))
    return visit


class Marks:
    """Tells the harness on standard output how far the work is.

    The first line comes after the warm-up, the last once all is done and durable. ``sessions`` is
    how many sessions were started, which the harness holds against what it fed.
    """

    def __init__(self, warm: int) -> None:
        self._warm = warm
        self.events = 0
        self.sessions = 0

    def count(self, visit: Visit) -> None:
        """Count one event whose visitor's state is now ``visit``."""
        self.events += 1
        self.sessions += visit["events"] == 1
        if self.events == self._warm:
            self.tell()

    def tell(self) -> None:
        """Say how far it is."""
        print(json.dumps({"events": self.events, "sessions": self.sessions}), flush=True)


def arguments() -> argparse.Namespace:
    """Read what every engine is told: where to read, how much, and where it may write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--warm", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--variant", default="")
    return parser.parse_args()
