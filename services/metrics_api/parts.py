"""What the reading side is made of: handed in by a composition root, never built here."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from msgspec import Struct

from services.common.catalog import Catalog
from services.common.metrics import Metrics
from services.common.ports import Clock, Forget, LiveView, PipelineHealth, SignalLog
from services.metrics_api.follow import Followers
from services.metrics_api.holding import Gate
from services.metrics_api.reach import Reach
from services.metrics_api.store import Store
from services.sessionizer.core.policy import Rules


class Access(Struct, frozen=True):
    """What a caller may read: one source, or all where ``source`` is None.

    ``token`` tells whether a token was shown; without one the reads are open on loopback.
    """

    source: str | None = None
    token: bool = True


class ApiSettings(Struct, frozen=True):
    """How the reading side behaves; the composition root fills it from the settings."""

    open_reads: bool = False
    keep_alive_s: float = 15.0
    """Seconds of silence after which a stream shows that it lives."""
    stream_queue: int = 1_000
    """Signals a stream keeps for a client that reads slowly, before it is cut off."""
    stream_stall_s: float = 30.0
    """Seconds a client may leave a stream unread before it is cut off."""
    stream_poll_s: float = 0.5
    """Seconds between two looks at storage or at unsettled signals."""
    past_patience_s: float = 5.0
    """Seconds the live view of a visitor waits for the past, before it is told alone."""
    explain_events: int = 20_000
    """Events of a visitor that an explanation folds at most."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything the endpoints reach for."""

    store: Store
    live: LiveView
    followers: Followers
    gate: Gate
    reach: Reach
    catalog: Catalog
    rules: Rules
    clock: Clock
    forget: Forget
    health: PipelineHealth
    metrics: Metrics
    settings: ApiSettings
    signal_log: SignalLog | None = None
    """Where signals come from a topic; else ``followers`` hand them on."""


def parts_of(request: Request) -> Parts:
    """Return the parts of the app that serves the request."""
    return cast("Parts", request.app.state.parts)


PartsOf = Annotated[Parts, Depends(parts_of)]
