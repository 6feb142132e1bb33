"""``/v1/signals`` and their stream: what to act on."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from schemas.rows import SignalKind
from services.common.answers import json_answer
from services.common.errors import invalid
from services.metrics_api import entity, scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.lists import ListQuery, StageInAnyCase, commas, newest, page
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import Signal, shape
from services.metrics_api.stream import (
    EventStream,
    Place,
    Question,
    Stream,
    place_of,
    with_keep_alive,
)
from services.metrics_api.topic_stream import TopicStream

router = APIRouter(tags=["signals"])

FILTERS = ("visitor_id", "user_id", "session_id", "cart_id", "stage", "retracted")
Kinds = Annotated[
    list[SignalKind],
    commas,
    Field(default_factory=list, description="repeated, or with commas"),
]


class SignalQuery(ListQuery):
    """Filters of signals; a range is of event time."""

    kind: Kinds
    visitor_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    cart_id: str | None = None
    stage: StageInAnyCase | None = None
    retracted: bool | None = Field(None, description="only those taken back, or only the others")
    include_bots: bool = False


class StreamQuery(BaseModel):
    """What a stream follows."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = None
    kind: Kinds
    visitor_id: str | None = None
    cart_id: str | None = None
    include_bots: bool = False
    live: bool = Field(False, description="add signals that are not settled, marked")


@router.get("/v1/signals", responses=described(Signal, rows=True))
async def list_signals(
    query: Annotated[SignalQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List signals by event time, newest first; a retracted one stays, marked."""
    source = (await scope.one(parts, access, query.source)).name
    read = partial(
        parts.store.rows,
        "signals",
        source=source,
        kinds=query.kind,
        include_bots=query.include_bots,
        **query.bound(FILTERS),
    )
    found = await newest(parts, source, query, read)
    return page(query, found, ("at_ms", "signal_id"), lambda row: shape(row, Signal))


@router.get(
    "/v1/signals/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "signals as made"}},
)
async def stream_signals(
    query: Annotated[StreamQuery, Query()],
    access: Reader,
    parts: PartsOf,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow signals as they are made; `Last-Event-ID` resumes with nothing lost.

    Each event's data is one signal. Its id is to be given back unread. With `live=true` signals
    that an event still on its way could take back come too, without id and `"settled": false`.
    """
    question = Question(
        source=(await scope.one(parts, access, query.source)).name,
        kinds=frozenset(query.kind),
        visitor_id=query.visitor_id or "",
        cart_id=query.cart_id or "",
        include_bots=query.include_bots,
        live=query.live,
    )
    stream = _stream(parts, question, last_event_id)
    settings = parts.settings
    chunks = stream.chunks()
    first = await anext(chunks)  # what cannot be followed is refused before the answer begins
    alive = with_keep_alive(chunks, settings.keep_alive_s, first)
    return EventStream(alive, settings.stream_stall_s, stream.count_cut)


@router.get("/v1/signals/{signal_id}", responses=described(Signal))
async def one_signal(signal_id: str, access: Reader, parts: PartsOf) -> Response:
    """Show one signal as it stands now."""
    return json_answer(shape(await entity.one(parts, access, "signal", signal_id), Signal))


def _stream(parts: Parts, question: Question, last_event_id: str | None) -> Stream:
    if parts.signal_log is None:
        return Stream(parts, question, _place(last_event_id))
    own = last_event_id and last_event_id.startswith(parts.signal_log.mark)
    after = last_event_id if own else _place(last_event_id)
    return TopicStream(parts, parts.signal_log, question, after)


def _place(last_event_id: str | None) -> Place | None:
    if not last_event_id:
        return None
    place = place_of(last_event_id)
    if place is None:
        raise invalid("Last-Event-ID", last_event_id, "is no id this stream has given")
    return place
