"""``waymark dlq``: refused items, and their way back in once what was wrong is mended."""

import base64
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, field

from schemas.context import LIVE_MAX_AGE_MS
from schemas.event import Event, address_of
from schemas.normalise import normalise
from schemas.refusal import Refusal
from services.common.errors import InvalidError
from services.common.ports import Outgoing
from services.common.times import rfc3339
from services.history.installation import Installation
from services.history.rebuild import rebuild
from services.loader.event_rows import rows_of_events
from services.standalone.admin import queries
from services.standalone.admin.arguments import optional, required
from services.standalone.admin.history import history_context, task_of, write_rows
from services.standalone.admin.registry import Command
from services.standalone.admin.sources import source_named

FAR_MS = 1 << 62
Letter = dict[str, Any]


class StillRefused(Struct, frozen=True):
    """A letter that could not be taken now either."""

    id: str
    message: str


class Retried(Struct):
    """What became of the letters that were sent through again."""

    accepted: list[str] = field(default_factory=list)
    refused: list[StillRefused] = field(default_factory=list)


def list_letters(context: Installation, args: dict[str, Any]) -> list[Letter]:
    """Return refused items, the newest first; unless a source is named, unreadable records too.

    A record of the log that nobody can read names no source.
    """
    if optional(args, "source", str) is None:
        sources = ["", *(source.name for source in context.catalog.sources())]
    else:
        sources = [source_named(context, args).name]
    found = context.storage.query(
        queries.text("letters"),
        {
            "sources": sources,
            "from_ms": optional(args, "from_ms", int) or 0,
            "to_ms": optional(args, "to_ms", int) or FAR_MS,
            "limit": optional(args, "limit", int) or 50,
        },
    )
    return [_shown(letter) for letter in found]


def show_letter(context: Installation, args: dict[str, Any]) -> Letter:
    """Return one refused item whole."""
    return _shown(_letters(context, [required(args, "id", str)])[0])


def retry(context: Installation, args: dict[str, Any]) -> Retried:
    """Judge letters again as if they came now; what passes goes into the log and leaves the list.

    An event that is too old for the live way by now goes the way of history instead.
    """
    result = Retried()
    for letter in _letters(context, [str(one) for one in required(args, "ids", list)]):
        refused = _retry(context, letter)
        if refused is None:
            result.accepted.append(letter["id"])
        else:
            result.refused.append(StillRefused(letter["id"], refused))
    return result


def _retry(context: Installation, letter: Letter) -> str | None:
    """Return why a letter is still refused, None where it was taken."""
    if letter["topic"]:
        return f"it was refused by {letter['topic']}, not by ingest, and cannot come in again"
    source = context.catalog.source(letter["source"])
    if source is None:
        return f"source {letter['source']!r} does not exist any more"
    found = normalise(_original(letter), history_context(context, source))
    if isinstance(found, Refusal):
        return f"{found.field + ': ' if found.field else ''}{found.message} ({found.code})"
    _take(context, found)
    gone = letter | {"version": context.clock.now_ms(), "deleted": 1}
    context.storage.insert("dead_letters", [msgspec.json.encode(gone)], "")
    return None


def _take(context: Installation, event: Event) -> None:
    if context.clock.now_ms() - event.ts_ms <= LIVE_MAX_AGE_MS:
        line = msgspec.json.encode(event)
        context.log.append([Outgoing(event.source, address_of(event), line)])
        return
    source = context.catalog.source(event.source)
    if source is None:
        raise InvalidError(f"source {event.source!r} does not exist any more")
    write = partial(write_rows, context)
    write("events", list(rows_of_events([event])))
    task = task_of(context, source, context.rules)
    rebuild(context.storage, task, write, [address_of(event)], context.progress)


def _letters(context: Installation, ids: list[str]) -> list[Letter]:
    found = context.storage.query(queries.text("letters_by_id"), {"ids": ids})
    missing = set(ids).difference(letter["id"] for letter in found)
    if missing:
        raise InvalidError(f"there is no refused event {', '.join(sorted(missing))}")
    return found


def _original(letter: Letter) -> bytes:
    text: str = letter["original"]
    return base64.b64decode(text) if letter["base64"] else text.encode()


def _shown(letter: Letter) -> Letter:
    kept = {name: value for name, value in letter.items() if name not in {"version", "deleted"}}
    return {"received": rfc3339(letter["received_ms"])} | kept


COMMANDS = {
    "dlq.ls": Command(list_letters, alone=False),
    "dlq.show": Command(show_letter, alone=False),
    "dlq.retry": Command(retry),
}
