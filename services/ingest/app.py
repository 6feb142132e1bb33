"""``POST /v1/events``: the hot path, a plain ASGI application (a route costs four times as much).

A request goes: who is it, what is it, its bytes (held on the budget), what they mean, the log,
the answer. The answer is sent only after the log has every accepted event and every refused item
is kept; what fails before that is answered so that the client sends the whole body again.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from schemas.event import Event
from services.common.catalog import Catalog
from services.common.catalog_rows import Grant
from services.common.errors import RetryableError
from services.common.hosts import App, Receive, Scope, Send
from services.common.metrics import Metrics
from services.common.ports import Clock, DeadLetters, Publisher
from services.ingest import cors
from services.ingest.answers import Answer, RefusalError, reply, retry_later
from services.ingest.budget import Budget, Lease
from services.ingest.client import NOBODY, Callers
from services.ingest.hints import about_orders, about_tried
from services.ingest.inflate import MAGIC, inflate, named_encoding
from services.ingest.intake import Batch, Intake, OpenSession
from services.ingest.patience import Patience
from services.ingest.recall import Recall
from services.ingest.report import dry_run_report, report
from services.ingest.request import (
    GoneError,
    check_media_type,
    read_body,
    secret_of,
    unauthorized,
)
from services.ingest.store import Store
from services.ingest.tally import Tally
from services.sessionizer.core.policy import Rules

PATHS = frozenset({"/v1/events", "/v1/events/"})
STORES = frozenset({"POST", "OPTIONS"})
YES = frozenset({b"true", b"1", b"yes"})
NO = frozenset({b"false", b"0", b"no"})


class Limits(Struct, frozen=True):
    """What one request may be and how much may wait."""

    body_bytes: int = 500 * 1024
    items: int = 2_500
    tried_items: int = 250
    """Of a dry run, which folds all that follow an event anew for each that comes out of order."""
    in_flight_bytes: int = 64 * 1024 * 1024
    patience_s: float = 15.0


class Previewer(Protocol):
    """Tells what events would do, folding them onto the live state and keeping nothing."""

    async def __call__(self, source: str, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Return one object an event, in order; its fields stand in the answer beside the event."""
        ...


class Ingest:
    """The ASGI application; made by ``create_ingest``."""

    def __init__(
        self,
        *,
        store: Store,
        catalog: Catalog,
        intake: Intake,
        callers: Callers,
        preview: Previewer | None,
        tally: Tally,
        limits: Limits,
        recall: Recall | None = None,
    ) -> None:
        self._recall = recall
        self._store = store
        self._catalog = catalog
        self._intake = intake
        self._callers = callers
        self._preview = preview
        self._tally = tally
        self._limits = limits
        self.budget = Budget(limits.in_flight_bytes)
        self._patience = Patience(limits.patience_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other scopes are the composition root's."""
        if scope["type"] != "http":
            raise TypeError(f"ingest answers http, not {scope['type']}")
        started = time.perf_counter()
        headers = dict(scope["headers"])
        try:
            answer = await self._answer(scope, headers, receive)
        except RefusalError as refused:
            answer = refused.answer()
        except GoneError:
            self._tally.gone()
            return
        except Exception:
            # Told in our form, then raised on: the server logs it with its trace.
            bug = RefusalError("internal", "ingest failed; the log of the server says why")
            await self._send(send, headers, bug.answer(), started)
            raise
        await self._send(send, headers, answer, started)

    async def _send(
        self, send: Send, headers: Mapping[bytes, bytes], answer: Answer, started: float
    ) -> None:
        await reply(send, answer, cors.exposed(headers, self._catalog))
        self._tally.answered(answer.status, answer.code, time.perf_counter() - started)

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Answer:
        _check_path(scope)
        if scope["method"] == "OPTIONS":
            return cors.preflight(headers, self._catalog)
        if scope["method"] != "POST":
            raise RefusalError(
                "method_not_allowed",
                f"{scope['method']} is not answered here; POST events",
                ((b"allow", b"POST, OPTIONS"),),
            )
        grant = self._authorize(headers)
        check_media_type(headers.get(b"content-type", b""))
        dry = _asks_dry_run(scope["query_string"])
        encoding = named_encoding(headers.get(b"content-encoding", b""))
        limits = self._limits
        most = (limits.body_bytes, limits.tried_items if dry else limits.items)
        with Lease(self.budget) as lease:
            body = await read_body(receive, headers, lease, limits.body_bytes, self._patience)
            plain = body
            if encoding or body[:1] in MAGIC:
                plain = inflate(body, encoding, limits.body_bytes)
                lease.hold(len(plain))
            # Only a browser's own request says anything of the shopper.
            caller = self._callers.of(scope) if grant.key.kind == "browser" else NOBODY
            batch = self._intake.take(plain, grant, caller, most)
            if self._recall is not None and await self._recall.learn():
                batch = self._intake.take(plain, grant, caller, most)
            if batch.may_order:
                batch.warnings += about_orders(batch)
            if dry:
                return await self._dry_run(grant, batch, plain)
            del body, plain
            await self._store.save(grant, batch, lease)
        return _verdict(batch)

    def _authorize(self, headers: Mapping[bytes, bytes]) -> Grant:
        secret = secret_of(headers)
        grant = self._catalog.grant(secret)
        if grant is None:
            raise unauthorized(self._no_grant(secret))
        cors.check_origin(headers, grant)
        return grant

    def _no_grant(self, secret: bytes) -> str:
        # Who holds a read token learns nothing by being told so.
        if self._catalog.reads(secret) is None:
            return "the write key is unknown or revoked"
        return "this is a read token; sending needs a write key (`waymark keys create`)"

    async def _dry_run(self, grant: Grant, batch: Batch, body: bytes) -> Answer:
        if self._preview is None:
            raise retry_later("unavailable", "dry_run needs the live state, which is not here")
        events = [msgspec.json.decode(event.line, type=Event) for event in batch.events]
        batch.warnings += about_tried(body, batch, events)
        try:
            previews = await self._preview(grant.source.name, events)
        except RetryableError as error:
            raise retry_later("unavailable", "the live state does not answer now") from error
        _verdict(batch)
        policy = self._intake.policy(grant.source.name)
        return Answer(200, dry_run_report(batch, events, previews, policy))


def create_ingest(
    publisher: Publisher,
    dead_letters: DeadLetters,
    catalog: Catalog,
    *,
    rules: Rules,
    clock: Clock,
    metrics: Metrics,
    preview: Previewer | None = None,
    open_session: OpenSession | None = None,
    trusted_proxies: Iterable[str] = (),
    country_header: str = "",
    limits: Limits | None = None,
) -> Ingest:
    """Return the application that answers ``POST`` and ``OPTIONS`` on ``/v1/events``.

    ``rules`` gives a source's policy (page paths and exclusions are what ingest needs of it).
    Without ``preview``, ``dry_run`` is answered with 503. ``open_session`` tells whether a visitor
    who gave no consent keeps yesterday's hash; a ``Recall`` learns it where it is not known here.
    """
    limits = limits or Limits()
    tally = Tally(metrics)
    made = Ingest(
        store=Store(publisher, dead_letters, catalog, tally),
        catalog=catalog,
        intake=Intake(catalog, rules, clock, open_session),
        callers=Callers(trusted_proxies, country_header),
        preview=preview,
        tally=tally,
        limits=limits,
        recall=open_session if isinstance(open_session, Recall) else None,
    )
    metrics.follow("waymark_ingest_in_flight_bytes", lambda: made.budget.used)
    return made


def ingest_first(ingest: App, rest: App) -> App:
    """Return one application: what stores events goes to ingest, all else to the rest.

    Both meet on ``/v1/events``, where GET reads. Going round the router saves the hot path its
    middlewares and its search for a route.
    """

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        hot = scope["type"] == "http" and scope["method"] in STORES and scope["path"] in PATHS
        await (ingest if hot else rest)(scope, receive, send)

    return front


def _verdict(batch: Batch) -> Answer:
    unreadable = batch.unreadable()
    if unreadable:
        raise RefusalError("invalid_body", unreadable)
    return Answer(200, report(batch))


def _check_path(scope: Scope) -> None:
    if scope["path"] not in PATHS:
        raise RefusalError("not_found", "events are sent to /v1/events")


def _asks_dry_run(query: bytes) -> bool:
    asked = None
    for name, value in parse_qsl(query, keep_blank_values=True) if query else ():
        shown = f"{name[:40].decode('latin-1')} = {value[:40].decode('latin-1')!r}"
        if name != b"dry_run":
            raise _no_parameter(f"unknown parameter {shown}: there is only dry_run")
        if value not in YES | NO:
            raise _no_parameter(f"{shown}: true or false is needed")
        if asked is not None:
            raise _no_parameter(f"{shown}: is given already")
        asked = value in YES
    return bool(asked)


def _no_parameter(message: str) -> RefusalError:
    return RefusalError("invalid_parameter", message)
