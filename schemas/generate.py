"""Write the JSON Schemas of what is published: ``python -m schemas.generate [--check]``.

The types are the source; a schema is what msgspec says of them, with examples. ``--check`` writes
nothing and ends with 1 where a file differs.
"""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any, cast

import msgspec

from schemas import examples
from schemas.event import Event
from schemas.rows import CartRow, DeadLetter, OrderRow, SessionRow, SignalRow
from schemas.sent_id import ALIASES
from schemas.wire import Wire

FOLDER = Path(__file__).parent / "json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"

FORMS: dict[str, tuple[Any, str, list[dict[str, Any]]]] = {
    "event_input": (Wire, "Event as it is sent", examples.EVENT_INPUT),
    "event": (Event, "Canonical event", examples.EVENT),
    "session": (SessionRow, "Session", examples.SESSION),
    "cart": (CartRow, "Cart episode", examples.CART),
    "order": (OrderRow, "Order, refund or cancel", examples.ORDER),
    "signal": (SignalRow, "Signal", examples.SIGNAL),
    "dead_letter": (DeadLetter, "Refused item", examples.DEAD_LETTER),
}
"""File name to type, title and examples."""

_NAMED = ("visitor_id", "user_id", "cart_id", "order_id", "consent")


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a published form."""
    kind, title, given = FORMS[name]
    schema: dict[str, Any] = {"$schema": _DRAFT, "title": title, **_of(kind)}
    if kind is Wire:
        # Whoever denies consent need not be named; everyone else is.
        schema["anyOf"] = [{"required": [field]} for field in _NAMED]
        fields = schema["$defs"]["Wire"]["properties"]
        for alias in ALIASES:
            told = {"description": "The event_id, where none is sent."}
            fields[alias] = fields["event_id"] | told
    return schema | {"examples": given}


def _of(kind: Any) -> dict[str, Any]:
    """Return a type's schema; docstrings without their indentation, which Python 3.13 strips."""
    hook = {"description": "any JSON value"}
    found = _clean(msgspec.json.schema(kind, schema_hook=lambda _object: hook))
    return cast("dict[str, Any]", found)


def _clean(node: object) -> object:
    if isinstance(node, dict):
        cleaned = {key: _clean(value) for key, value in node.items()}
        if isinstance(said := node.get("description"), str):
            cleaned["description"] = cleandoc(said)
        return cleaned
    return [_clean(one) for one in node] if isinstance(node, list) else node


def text_of(name: str) -> str:
    """Return the file's text."""
    return json.dumps(schema_of(name), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Write the files, or with ``--check`` say which differ; return the exit code."""
    stale = [name for name in FORMS if _held(folder, name) != text_of(name)]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"schemas/json/{name}.json differs: run python -m schemas.generate\n")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name in stale:
        (folder / f"{name}.json").write_text(text_of(name), encoding="utf-8")
    return 0


def _held(folder: Path, name: str) -> str:
    path = folder / f"{name}.json"
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
