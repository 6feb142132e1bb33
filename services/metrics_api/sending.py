"""``POST /v1/events`` in the OpenAPI document: ingest answers it, before this app is asked.

What an event may hold is the published schema of what is sent, ``schemas/json/event_input.json``.
"""

import json
from importlib import resources
from typing import Any, Literal

import msgspec
from msgspec import Struct

Json = dict[str, Any]

ABOUT = """Send events: one `EventInput`, a JSON array of them, or one a line.

The body may be compressed (`Content-Encoding: gzip` or `zstd`). Needs a write key: `Authorization:
Bearer KEY`, Basic with the key as user name, or `X-Write-Key`. The answer comes when the log has
every accepted event, so after a `429`, a `503` or no answer the whole body is sent again. Where
parts are processes of their own, ingest's address takes it."""

REFUSED = {
    "400": "`invalid_body`: the body is no JSON; `invalid_parameter`: a parameter is not known or "
    "not true or false",
    "401": "`unauthorized`: no write key, or one that is unknown or revoked",
    "413": "`too_large`: more bytes or events than one request may hold",
    "415": "`unsupported_media_type`: not JSON or NDJSON, or an encoding that is not known",
    "429": "`overloaded`: too much waits for the log; come again after `Retry-After` seconds",
    "503": "`unavailable`: the log takes nothing now; come again after `Retry-After` seconds",
}


class SentError(Struct, kw_only=True):
    """An event that was not taken; ``index`` is its place in the body, from 0."""

    index: int
    event_id: str
    code: str
    field: str
    message: str


class SentWarning(Struct, kw_only=True):
    """What the sender of an accepted event should know."""

    index: int
    event_id: str
    code: str
    message: str


class Sent(Struct, kw_only=True, omit_defaults=True):
    """What became of the events; ``dry_run`` and ``events`` only where nothing was to be stored."""

    received: int
    accepted: int
    errors: list[SentError]
    warnings: list[SentWarning] = []
    dry_run: Literal[True] | None = None
    events: list[dict[str, Any]] = []


def add_sending(document: Json) -> None:
    """Add the operation and its schemas to the document of the reading side."""
    schemas = document["components"]["schemas"]
    schemas.update(_event_input())
    _, found = msgspec.json.schema_components([Sent], ref_template="#/components/schemas/{name}")
    schemas.update(found)
    document["paths"]["/v1/events"]["post"] = {
        "tags": ["events"],
        "summary": "Send Events",
        "operationId": "send_events",
        "description": ABOUT,
        "parameters": [
            {
                "name": "dry_run",
                "in": "query",
                "description": "store nothing; tell what each event would do",
                "schema": {"type": "boolean", "default": False},
            }
        ],
        "requestBody": {"required": True, "content": _bodies()},
        "responses": {"200": _answer("Sent", "what became of each event"), **_refused()},
    }


def _event_input() -> Json:
    """Return the schema of an event as it is sent, and those it names, as the document has them."""
    text = resources.files("schemas").joinpath("json/event_input.json").read_text("utf-8")
    schema = json.loads(text.replace("#/$defs/", "#/components/schemas/"))
    parts: Json = schema["$defs"]
    event = parts.pop("Wire") | {name: schema[name] for name in ("title", "anyOf", "examples")}
    return {"EventInput": event, **parts}


def _bodies() -> Json:
    event = {"$ref": "#/components/schemas/EventInput"}
    many = {"type": "array", "items": event}
    return {
        "application/json": {"schema": {"oneOf": [event, many]}},
        "application/x-ndjson": {"schema": event},
    }


def _refused() -> Json:
    return {status: _answer("Refusal", why) for status, why in REFUSED.items()}


def _answer(shape: str, about: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{shape}"}
    return {"description": about, "content": {"application/json": {"schema": schema}}}
