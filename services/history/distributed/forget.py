"""Erases a person from the workers' states and from storage (ADR 9).

In this order, so that whoever repeats it after a crash finds all that is left:

1. Storage gets all that the workers have read and stated: only then is it known whom it names.
2. A ``__forget`` goes into the log at each address of the person's own; once the workers have
   folded it they state nothing more of the person, and send no link.
3. The same at each alias that the person's events named.
4. Storage gets all that was stated before, and then erases: nothing comes after it.

The lines in the log itself, and in the topics of rows, go with the topics' retention.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.event import Event
from services.common.errors import InvalidError
from services.common.ports import Clock, Outgoing, Storage
from services.common.settings import Settings
from services.history import queries
from services.history.distributed.live import Link, linked
from services.loader.erase import erase, visitors_of
from services.sessionizer.core.codec import Codec, State


def forget(
    link: Link, storage: Storage, clock: Clock, source: str, *, visitor_id: str, user_id: str
) -> dict[str, int]:
    """Erase one visitor, or one user with all its visitors; return how much went, by place.

    All are 0 where nothing was found of the person.
    """
    if bool(visitor_id) == bool(user_id):
        raise InvalidError(f"visitor_id = {visitor_id!r}, user_id = {user_id!r}: name exactly one")
    link.settle()
    visitors = [visitor_id] if visitor_id else list(visitors_of(storage, source, user_id))
    order = Event(type="__forget", source=source, user_id=user_id, ts_ms=clock.now_ms())
    own = [msgspec.structs.replace(order, visitor_id=one, to=one) for one in visitors]
    shared = [
        msgspec.structs.replace(order, visitor_id=row["address"], to=row["alias"])
        for row in _known_as(storage, source, visitors)
        if row["alias"] not in visitors
    ]
    addresses = sorted({one.to for one in (*own, *shared)})
    before = link.states(source, addresses)
    for events in (own, shared):
        link.append(_lines(events))
        link.read_on()
    after = link.states(source, addresses)
    link.settle()
    told = [_told(states, source, addresses) for states in (before, after)]
    went = {"states": sum(was != now for was, now in zip(*told, strict=True))}
    went |= erase(storage, source, visitor_id=visitor_id, user_id=user_id)
    return {"visitors": len(visitors) if any(went.values()) else 0, **went}


def _known_as(storage: Storage, source: str, visitors: Sequence[str]) -> list[dict[str, Any]]:
    return storage.query(
        queries.linking("known_as"), {"source": source, "addresses": list(visitors)}
    )


def _told(states: Mapping[str, bytes], source: str, addresses: Iterable[str]) -> list[Any]:
    """Return what the state of each address tells of somebody: not that somebody was forgotten."""
    codec, nobody = Codec(), State()
    told: list[Any] = []
    for one in addresses:
        data = states.get(one)
        state, waiting = codec.decode_unsettled(data, source, one) if data else (nobody, [])
        told.append((state.visitor, state.hashes, state.alias, waiting))
    return told


def _lines(events: Iterable[Event]) -> list[Outgoing]:
    return [Outgoing(event.source, event.to, msgspec.json.encode(event)) for event in events]


class WorkersForget:
    """The ``Forget`` port on an installation of workers, one erasure at a time."""

    def __init__(self, settings: Settings, storage: Callable[[], Storage], clock: Clock) -> None:
        """Erase here, in storage as a user who may delete; nothing is connected yet."""
        self._settings = settings
        self._storage = storage
        self._clock = clock
        self._lock = asyncio.Lock()

    async def forget(
        self, source: str, *, visitor_id: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Erase one visitor, or one user with what is linked to it; return what went, by place."""
        async with self._lock:
            return await asyncio.to_thread(self._forget, source, visitor_id, user_id)

    def _forget(self, source: str, visitor_id: str, user_id: str) -> dict[str, Any]:
        who = {"visitor_id": visitor_id, "user_id": user_id}
        with linked(self._settings) as link:
            return {**forget(link, self._storage(), self._clock, source, **who)}
