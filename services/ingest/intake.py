"""From a plain body to events and refusals: the pure steps of ``schemas`` with a request's context.

Nothing here waits or writes; what it needs of the world (clock, salts, policy) it asks once a
request.
"""

import base64
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from schemas.body import split
from schemas.context import Context, Salts, Site
from schemas.ids import dead_letter_id
from schemas.normalise import prepare
from schemas.outgoing import Outgoing
from schemas.refusal import BodyRefusal, Refusal, Warned
from schemas.rows import DeadLetter
from services.common.catalog import Catalog
from services.common.catalog_rows import Grant, Source
from services.common.errors import InvalidError
from services.common.ports import Clock
from services.common.sites import site_of
from services.ingest.answers import RefusalError, retry_later
from services.ingest.client import Caller
from services.sessionizer.core.policy import Policy, Rules

OpenSession = Callable[[str, str], bool]
"""Tells whether a visitor (source, visitor id) has an open session now."""


class Batch(Struct):
    """What one body came to; refusals, warnings and events name items by their place in it.

    ``may_order``: a purchase may be among them (false: there is none).
    """

    received: int
    events: list[Outgoing]
    places: list[int]
    refusals: list[tuple[int, Refusal]]
    warnings: list[tuple[int, Warned]]
    letters: list[DeadLetter]
    may_order: bool = False

    def unreadable(self) -> str:
        """Return why the body is no JSON at all, "" where any of its items could be read.

        Its items are kept as dead letters all the same, but its sender must be told plainly.
        """
        if not self.refusals:
            return ""
        codes = {refusal.code for _, refusal in self.refusals}
        if self.events or codes != {"invalid_json"}:
            return ""
        return self.refusals[0][1].message

    def letter_bytes(self) -> int:
        """Return about how much memory the dead letters hold."""
        return sum([len(letter.original) for letter in self.letters])


class Intake:
    """Knows the sources as normalisation needs them; one a process."""

    def __init__(
        self,
        catalog: Catalog,
        rules: Rules,
        clock: Clock,
        open_session: OpenSession | None = None,
    ) -> None:
        """Take where sources, salts and policies are, the clock, and who has a session open."""
        self._catalog = catalog
        self._rules = rules
        self._clock = clock
        self._open_session = open_session
        self._salted: dict[str, Salts] = {}
        self._sites: dict[str, tuple[Source, Policy, Site]] = {}

    def take(self, body: bytes, grant: Grant, caller: Caller, limits: tuple[int, int]) -> Batch:
        """Return what a plain body of at most ``limits`` (bytes, items) came to.

        Raises the 400 or 413 refusal for a body that is no list of items.
        """
        items = split(body, max_bytes=limits[0], max_items=limits[1])
        if isinstance(items, BodyRefusal):
            raise RefusalError(items.code, items.message)
        batch = _judge(items, self._context(grant, caller))
        batch.may_order = b"purchase" in body
        return batch

    def policy(self, source: str) -> Policy:
        """Return the policy of a source; raises the 503 refusal where the catalog's is invalid."""
        try:
            return self._rules(source).policy
        except InvalidError as error:
            message = f"the policy of source {source} is invalid: its operator has to set it anew"
            raise retry_later("unavailable", message) from error

    def _context(self, grant: Grant, caller: Caller) -> Context:
        now_ms = self._clock.now_ms()
        return Context(
            site=self._site(grant.source),
            received_ms=now_ms,
            new_id=_random_id,
            client_ip=caller.ip,
            ua=caller.ua,
            country=caller.country,
            key="test" if grant.test else grant.key.kind,
            provisional_orders=grant.provisional,
            salts=self._salts(grant.source.name, now_ms),
        )

    def _salts(self, source: str, now_ms: int) -> Salts:
        kept = self._catalog.salts(now_ms)
        found = self._salted.get(source)
        if found is None or found.today != kept.today:
            ask = partial(self._open_session, source) if self._open_session else None
            found = self._salted[source] = Salts(kept.today, kept.yesterday or b"", ask)
        return found

    def _site(self, source: Source) -> Site:
        """Return the source's site, the same one while source and policy stand: it has a memo."""
        policy = self.policy(source.name)
        known = self._sites.get(source.name)
        if known and known[0] is source and known[1] is policy:
            return known[2]
        if known and known[0] == source and known[1] == policy:
            made = known[2]
        else:
            made = site_of(source, policy)
        self._sites[source.name] = (source, policy, made)
        return made


def _judge(items: list[bytes], context: Context) -> Batch:
    batch = Batch(len(items), [], [], [], [], [])
    events, places, warned = batch.events, batch.places, context.tally.warnings
    for place, item in enumerate(items):
        found = prepare(item, context)
        if isinstance(found, Refusal):
            batch.refusals.append((place, found))
            continue
        events.append(found)
        places.append(place)
        if len(warned) > len(batch.warnings):  # an item has one at most
            batch.warnings.append((place, warned[-1]))
    if batch.refusals:
        batch.letters = _letters(items, batch.refusals, context)
    return batch


def _random_id() -> str:
    return str(uuid.uuid4())


def _letters(
    items: list[bytes], refusals: list[tuple[int, Refusal]], context: Context
) -> list[DeadLetter]:
    seen: Counter[bytes] = Counter()
    letters = []
    for place, refusal in refusals:
        item = items[place]
        letters.append(_letter(item, refusal, context, seen[item]))
        seen[item] += 1
    return letters


def _letter(item: bytes, refusal: Refusal, context: Context, occurrence: int) -> DeadLetter:
    try:
        original, coded = item.decode(), False
    except UnicodeDecodeError:
        original, coded = base64.b64encode(item).decode(), True
    return DeadLetter(
        id=dead_letter_id(context.site.name, refusal.code, item, occurrence),
        source=context.site.name,
        received_ms=context.received_ms,
        code=refusal.code,
        field=refusal.field,
        message=refusal.message,
        original=original,
        base64=coded,
        event_id=refusal.event_id,
    )
