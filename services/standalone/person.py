"""Who is to be erased, as the log and the states name people."""

import json
import re
from functools import cached_property

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.event import Event, address_of
from services.loader.letters import names
from services.sessionizer.core.codec import Codec, head_of
from services.sessionizer.core.links import Alias

_event = msgspec.json.Decoder(Event)


class Person(Struct, frozen=True, dict=True):
    """One person of a source: the visitors it was (``user:ID`` among them) and its user id."""

    source: str
    visitors: frozenset[str]
    user_id: str = ""

    @cached_property
    def _found_by(self) -> tuple[frozenset[bytes], re.Pattern[bytes]]:
        keys = frozenset(f"{self.source}\x1f{visitor}".encode() for visitor in self.visitors)
        return keys, re.compile(b"|".join(map(re.escape, self.needles())))

    def touches(self, key: bytes, value: bytes) -> bool:
        """Tell whether a state may be the person's or name it, without decoding it."""
        keys, needle = self._found_by
        return key in keys or needle.search(value) is not None

    def ids(self) -> frozenset[str]:
        """Return every id that names the person."""
        return self.visitors | {self.user_id} if self.user_id else self.visitors

    def is_in(self, event: Event) -> bool:
        """Tell whether an event, link or copy is of the person or on its way to it."""
        if event.source != self.source:
            return False
        if self.user_id and event.user_id == self.user_id:
            return True
        return not self.visitors.isdisjoint((event.visitor_id, event.to, address_of(event)))

    def owns(self, line: bytes) -> bool:
        """Tell whether a line of the log names the person; one nobody can read, by its words."""
        try:
            return self.is_in(_event.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return names(line, set(self.ids()))

    def needles(self) -> list[bytes]:
        """Return byte strings one of which stands in every line or state that names the person."""
        found = {msgspec.msgpack.encode(one) for one in self.ids()}
        for one in self.ids():
            found |= {json.dumps(one).encode(), msgspec.json.encode(one)}
        return sorted(found)


def without(person: Person, key: bytes, value: bytes) -> bytes | None:
    """Return an encoded state without the person: None where nothing is left of it.

    ``value`` itself is returned where it does not name the person.
    """
    source, _, address = key.decode().partition("\x1f")
    if source != person.source:
        return value
    codec = Codec()
    state = codec.decode(value)
    visitor = state.visitor
    known = person.user_id and visitor is not None and visitor.user_id == person.user_id
    if known or address in person.visitors:
        return None
    if state.alias is None:
        return value
    alias = _pruned(person, state.alias)
    if alias == state.alias:
        return value
    left = replace(state, alias=alias if alias.linked or alias.orders else None)
    if left.alias is None and visitor is None and not left.sent:
        return None
    return codec.encode(left, head_of(value))


def _pruned(person: Person, alias: Alias) -> Alias:
    linked = {one: days for one, days in alias.linked.items() if one not in person.visitors}
    orders = [kept for kept in alias.orders if not person.owns(kept.line)]
    return replace(alias, linked=linked, orders=orders)
