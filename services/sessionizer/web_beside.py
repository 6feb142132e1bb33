"""What a rebuild, or an erasure, asks of the workers it goes on beside.

``services/history/beside.py`` says what for. Nothing stands still: each question first has stored
what is folded by then, and is answered as of that.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from fastapi import FastAPI, Request, Response
from msgspec import Struct

from services.common.answers import json_answer
from services.common.partitions import key_of, partition_of
from services.sessionizer.frontier import open_since_ms
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners


class Stored(Struct, frozen=True):
    """How far a partition is: all records up to ``last`` are folded and stored."""

    partition: int
    last: int
    clock_ms: int


class Question(Struct, frozen=True):
    """How things stand to some addresses of a source, for a watch."""

    watch: str
    source: str
    addresses: list[str]


class Standing(Struct, frozen=True):
    """Since when something of each is open here, and whose state has moved since the watch began.

    ``away``: those whose partition is not here now.
    """

    open_since: dict[str, int]
    moved: list[str]
    away: list[str]


def add_beside(app: FastAPI, owners: Owners, partitions: int) -> None:
    """Add the endpoints."""

    @app.post("/v1/beside/stored")
    async def stored() -> Response:
        """Have all that is folded stored, and tell how far that is."""
        return json_answer([await _stored(owner) for owner in owners.every()])

    @app.post("/v1/beside/watch/{name}")
    async def watch(name: str) -> Response:
        """Begin to note whose state moves, in every partition here."""
        here = owners.every()
        for owner in here:
            owner.watches.begin(name)
        return json_answer([await _stored(owner) for owner in here])

    @app.delete("/v1/beside/watch/{name}")
    async def unwatch(name: str) -> Response:
        """Note no more."""
        for owner in owners.by_number.values():
            owner.watches.end(name)
        return Response(status_code=204)

    @app.post("/v1/beside/view")
    async def view(request: Request) -> Response:
        """Tell what is open of some addresses, and who of them has moved."""
        question = msgspec.json.decode(await request.body(), type=Question)
        return json_answer(await _view(owners, partitions, question))


async def _stored(owner: Owner) -> Stored:
    return Stored(owner.number, await owner.stored(), owner.fold.clock_ms)


async def _view(owners: Owners, partitions: int, question: Question) -> Standing:
    by_partition: dict[int, list[str]] = defaultdict(list)
    for address in question.addresses:
        by_partition[partition_of(key_of(question.source, address), partitions)].append(address)
    standing = Standing({}, [], [])
    for number, addresses in by_partition.items():
        owner = owners.live(number)
        if owner is not None:
            await owner.stored()
        if owner is None or owners.live(number) is not owner:
            standing.away.extend(addresses)
        else:
            _look(owner, question, addresses, standing)
    return standing


def _look(owner: Owner, question: Question, addresses: Iterable[str], standing: Standing) -> None:
    """Look without waiting in between: nothing is folded or stored meanwhile."""
    for address in addresses:
        key = key_of(question.source, address)
        at_rest = open_since_ms(owner.states.get(key))
        # What waits may open something that nothing at rest knows of yet.
        live = open_since_ms(owner.fold.live_state(question.source, address))
        standing.open_since[address] = min(at_rest, live)
        if owner.watches.has_moved(question.watch, key):
            standing.moved.append(address)
