"""From the lines of a file to stored events: the same normalisation as the live way in.

History has no "received": each event counts as received when it happened (DESIGN, *Storage*), and
may be of any age. What cannot be taken is reported with its line, its field and its reason.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from msgspec import Struct, field

from schemas.context import Context
from schemas.event import Event, address_of
from schemas.normalise import normalise
from schemas.refusal import Refusal
from services.formats.items import BadLine, Item
from services.history.rebuild import Write
from services.loader.event_rows import rows_of_events

BATCH = 50_000
REPORTED = 1_000
"""So many rejected lines are named; all are counted."""
MANY = 500_000
"""Beyond so many addresses it is cheaper to rebuild the whole source than to list them."""

_encode = msgspec.json.Encoder().encode


class Rejected(Struct, frozen=True):
    """A line, or an event of it, that was not taken."""

    line: int
    field: str
    message: str


class Report(Struct):
    """What a file came to. ``addresses`` is None where there are too many to list.

    ``old`` counts the events of before ``kept_from_ms``, since when raw events are kept.
    """

    kept_from_ms: int = 0
    events: int = 0
    old: int = 0
    rejected: int = 0
    named: list[Rejected] = field(default_factory=list)
    addresses: set[str] | None = field(default_factory=set)

    def reject(self, line: int, at: str, message: str) -> None:
        """Count a line, and name it while there are few."""
        self.rejected += 1
        if len(self.named) < REPORTED:
            self.named.append(Rejected(line, at, message))

    def accept(self, event: Event) -> None:
        """Count an event and whom it names."""
        self.events += 1
        self.old += event.ts_ms < self.kept_from_ms
        if self.addresses is not None:
            self.addresses.add(address_of(event))
            if len(self.addresses) > MANY:
                self.addresses = None


def store(read: Iterable[Item | BadLine], context: Context, write: Write, report: Report) -> None:
    """Normalise what a format read and store it, adding to the report.

    ``context`` has the file's source, ``max_age_ms`` None, and the present as ``received_ms``:
    an event later than that is refused, for history has happened.
    """
    events = normalised(read, context, report)
    while batch := list(islice(events, BATCH)):
        write("events", list(rows_of_events(batch)))


def normalised(read: Iterable[Item | BadLine], context: Context, report: Report) -> Iterator[Event]:
    """Yield the canonical events of a file; count them and what was rejected."""
    for one in read:
        if isinstance(one, BadLine):
            report.reject(one.line, one.field, one.message)
            continue
        found = normalise(_encode(one.item), context)
        if isinstance(found, Refusal):
            report.reject(one.line, found.field, found.message)
            continue
        event = msgspec.structs.replace(found, received_ms=found.ts_ms)
        report.accept(event)
        yield event
