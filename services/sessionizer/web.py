"""The worker's own HTTP: health, metrics, and what the other parts ask of its live state.

For the inside of an installation only: nothing here asks for a token. A partition that is not
owned, moves, or has not yet read again what its former owner had folded is answered with 503; the
owners' topic tells where it is.
"""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from msgspec import Struct

from services.common.answers import json_answer, unavailable
from services.common.health_app import health_app
from services.common.metrics import Metrics
from services.common.partitions import key_of, partition_of
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners
from services.sessionizer.pulse import Pulse
from services.sessionizer.web_beside import add_beside


class Worker(Struct, frozen=True):
    """What a worker shows."""

    owners: Owners
    pulse: Pulse
    metrics: Metrics
    partitions: int
    unready: Callable[[], str]

    def owner_of(self, source: str, address: str) -> Owner | None:
        """Return the owner of an address, None where it cannot be asked here and now."""
        number = partition_of(key_of(source, address), self.partitions)
        return self.owners.asked(number)


def create_web(worker: Worker) -> FastAPI:
    """Return the application."""
    app = health_app(alive=worker.pulse.trouble, ready=worker.unready, metrics=worker.metrics)
    _add_live(app, worker)
    add_beside(app, worker.owners, worker.partitions)
    return app


def _add_live(app: FastAPI, worker: Worker) -> None:
    @app.get("/v1/live/visitor")
    async def visitor(source: str, visitor_id: str) -> Response:
        """Return a visitor's live state, null for one never seen."""
        owner = worker.owner_of(source, visitor_id)
        return _moving() if owner is None else json_answer(owner.fold.visitor(source, visitor_id))

    @app.get("/v1/live/cart")
    async def cart(source: str, visitor_id: str, cart_id: str) -> Response:
        """Return a visitor's cart as it stands now, null for one not remembered."""
        owner = worker.owner_of(source, visitor_id)
        if owner is None:
            return _moving()
        return json_answer(owner.fold.live_cart(source, visitor_id, cart_id))

    @app.get("/v1/live/state")
    async def state(source: str, address: str) -> Response:
        """Return an address's encoded state with what waits beside it, 204 for none."""
        owner = worker.owner_of(source, address)
        if owner is None:
            return _moving()
        data = owner.fold.unsettled(source, address)
        return Response(data, 200 if data else 204, media_type="application/octet-stream")

    @app.get("/v1/live/counts")
    async def counts(source: str) -> Response:
        """Return clock, live visitors and open carts of each partition here."""
        return json_answer([_counts(owner, source) for owner in worker.owners.answering()])

    @app.get("/v1/live/signals")
    async def signals(source: str) -> Response:
        """Return the unsettled signals of each partition here."""
        found = [(owner.number, owner.fold.live_signals()) for owner in worker.owners.answering()]
        return json_answer(
            [
                {"partition": number, "signals": [row for row in rows if row.source == source]}
                for number, rows in found
            ]
        )


def _counts(owner: Owner, source: str) -> dict[str, Any]:
    fold = owner.fold
    return {
        "partition": owner.number,
        "clock_ms": owner.clock_ms,
        "live_visitors": fold.live_visitors(source),
        "open_carts": fold.open_carts(source),
    }


def _moving() -> Response:
    return unavailable("the partition is not here now")
