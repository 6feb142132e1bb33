"""The short way to the log's line: the item's own bytes, and what is added put behind them.

Most events of a shop's backend are taken as they are; the steps only add to them (source, page,
machine). Encoding such an event anew costs as much as reading it did. So where nothing of it
changes, its line is made of its own bytes and *tails*: what page and machine add, encoded once
and remembered by the steps. What is not remembered, or would be changed, goes through the steps.

Rules of this file: it only ever says that the steps would have made the same event (a law of
``tests/schemas``), and it is asked only for an item of which nothing was dropped
(``reading.is_whole``), so that the bytes hold nothing that was not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.event import RESERVED
from schemas.marks import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.context import Context
    from schemas.wire import Draft

_encode = msgspec.json.Encoder().encode
_NEWLINE = 10
_CLOSING = 125


def tail_of(found: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> bytes | None:
    """Return found fields as they stand behind others; None where one differs from the given.

    What was given stands in the item already and is no part of the tail.
    """
    given = given or {}
    if any(found.get(name) != value for name, value in given.items()):
        return None
    added = {name: value for name, value in found.items() if name not in given}
    return b"," + _encode(added)[1:-1] if added else b""


def splice(item: bytes, draft: Draft, texts: tuple[str, ...], ctx: Context) -> bytes | None:
    """Return the line of an item whose plan is ``spliced``; None where the steps have to run.

    ``texts`` are those of its fields that could hold what is masked.
    """
    get = draft.get
    page = ctx.pages.get((get("url"), get("referrer")))
    agent = ctx.agents.get(get("ua"))
    if page is None or page[1] is None or agent is None or draft["type"] not in TYPES:
        return None
    if draft["visitor_id"].startswith(RESERVED):
        return None
    if ctx.ahead_ms or not ctx.oldest_ms <= draft["ts_ms"] <= ctx.received_ms:
        return None
    for name in texts:
        text = draft[name]
        if ctx.texts.get(text) != text:
            return None
    if item[-1] != _CLOSING or item.find(_NEWLINE) >= 0:
        return None
    return b"".join((item[:-1], ctx.stamp_tail, page[1], agent[1], b"}"))
