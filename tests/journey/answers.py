"""All that an installation answers, in a form in which two can be held against each other."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from schemas.ids import cart_id, session_id
from tests.journey.installations import Installation, plain

LISTS = ("sessions", "carts", "orders", "signals", "events", "dead-letters")
OWN = frozenset(
    {"version", "emitted_ms", "received_ms", "last_received_ms", "exported_ms"}
    | {"partition", "offset", "topic"}
)
"""What differs between two installations: when and where something was received and told."""
OF_NOW = frozenset({"live_visitors", "open_carts"})
NAMELESS = {"nameless-0": ("session", session_id), "nameless-1": ("cart", cart_id)}
"""Events that may have begun a visit or a cart of someone whose name is hashed with a secret."""


def rows(of: Installation) -> dict[str, list[dict[str, Any]]]:
    """Return every list of every source, each row without what is its installation's own.

    Records of the log that nobody could read have no source; only Kafka's log can have such.
    """
    return {
        f"{source}/{kind}": sorted(
            (
                without_own(row)
                for row in of.rows(f"/v1/{kind}", source=source, **_everything(kind))
                if row.get("source", source)
            ),
            key=plain,
        )
        for source in ("shop", "outlet")
        for kind in LISTS
    }


def one_by_one(of: Installation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield questions after single things, some of each kind, and after all of some shoppers.

    Not after whoever has no lasting name: in another installation that is another.
    """
    event = next(of.rows("/v1/events", source="shop", event_id="nameless-0"))
    people = set()
    for kind, name in (("sessions", "session_id"), ("carts", "cart_id"), ("signals", "signal_id")):
        for row in list(of.rows(f"/v1/{kind}", source="shop"))[::15]:
            if row["visitor_id"] != event["visitor_id"]:
                yield f"/v1/{kind}/{row[name]}", {}
                people.add(row["visitor_id"])
    for who in sorted(people):
        yield f"/v1/visitors/{who}", {"source": "shop", "timeline": True}
        yield f"/v1/visitors/{who}/export", {"source": "shop"}
    users = {row.get("user_id") for row in of.rows("/v1/events", source="shop")}
    for user in sorted(filter(None, users)):
        yield f"/v1/users/{user}/export", {"source": "shop"}


def without_own(found: Any) -> Any:
    """Return an answer without what is its installation's own, however deep in it."""
    if isinstance(found, dict):
        return {name: without_own(value) for name, value in found.items() if name not in OWN}
    return [without_own(one) for one in found] if isinstance(found, list) else found


def _everything(kind: str) -> dict[str, Any]:
    return {"include_bots": True} if kind in {"sessions", "signals", "events"} else {}


def renamed(found: Any, of: Installation) -> str:
    """Return answers as text in which whoever has no lasting name has the same in both.

    The name is a hash under a secret of the installation's day, and ids are made from it.
    """
    event = next(of.rows("/v1/events", source="shop", event_id="nameless-0"))
    who = event["visitor_id"]
    text = plain(found).replace(who, "someone")
    for row in of.rows("/v1/signals", source="shop", visitor_id=who):
        what = f"{row['kind']} {row['stage']} {row['details'].get('order_id', '')}"
        text = text.replace(row["signal_id"], f"signal of someone: {what}")
    for first, (kind, make) in NAMELESS.items():
        text = text.replace(make("shop", who, first), f"{kind} of someone")
    return text


def differences(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> list[str]:
    """Return what only one says, or says more often, for the message of a failing test."""
    told = []
    for name in one:
        left, right = (Counter(map(plain, found[name])) for found in (one, other))
        told += [f"{name} only in the first: {row[:900]}" for row in sorted(left - right)]
        told += [f"{name} only in the second: {row[:900]}" for row in sorted(right - left)]
    return told


def questions(of: Installation, from_ms: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield questions after every metric: whole, by time, by a dimension; money of both sources."""
    span = {"from": from_ms - 3_600_000, "to": from_ms + 3_600_000}
    for metric in of.get("/v1/metrics"):
        path, asked = f"/v1/metrics/{metric['name']}", {"source": "shop", **span}
        yield path, asked
        if metric["name"] not in OF_NOW:
            yield path, asked | {"step": "1h", "include_bots": True}
        if metric["dimensions"]:
            yield path, asked | {"group_by": metric["dimensions"][0]}
        if "channel" in metric["dimensions"]:
            yield path, asked | {"group_by": "channel", "touch": "first"}
        if metric["unit"] == "money":
            yield path, asked | {"source": "outlet"}
