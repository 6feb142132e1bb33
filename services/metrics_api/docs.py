"""``/docs``: the OpenAPI document as a page that needs nothing from elsewhere.

FastAPI's own page loads its script from another site, so it stays blank on a machine without the
internet, and tells that site who looks.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

from services.metrics_api.page import GUARDS

router = APIRouter(include_in_schema=False)

Json = dict[str, Any]

_NAME = re.compile(r"``?([^`]+)``?")
FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Waymark API</title>
<link rel="stylesheet" href="/page/page.css"></head>
<body class="docs"><header><h1>Waymark API</h1><a href="/">Page</a>
<a href="/openapi.json">openapi.json</a></header>
<main><p>{about}</p>{sections}</main></body></html>
"""
ROW = "<tr><th scope='row'><code>{name}</code></th><td>{kind}</td><td>{about}</td></tr>"


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Serve the page."""
    document = request.app.openapi()
    about = escape(document["info"].get("description", ""))
    page = FRAME.format(about=about, sections="".join(_sections(document)))
    return Response(page, headers=GUARDS, media_type="text/html; charset=utf-8")


def _sections(document: Json) -> Iterable[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        heading = f"<h2>{escape(tag.capitalize())}</h2>"
        yield f"<section class='card'>{heading}{''.join(operations)}</section>"
    shapes = document.get("components", {}).get("schemas", {})
    shown = "".join(_shape(name, shape) for name, shape in shapes.items() if shape.get("title"))
    yield f"<section class='card'><h2>Answers</h2>{shown}</section>"


def _operation(method: str, path: str, operation: Json) -> str:
    first, _, rest = operation.get("description", "").partition("\n")
    head = f"<summary><code>{method.upper()} {escape(path)}</code> {_words(first)}</summary>"
    about = f"<p>{_words(rest)}</p>" if rest.strip() else ""
    rows = "".join(
        ROW.format(
            name=escape(one["name"]),
            kind=escape(_kind(one["schema"]).removesuffix(", null")),
            about=_words(one.get("description") or one["schema"].get("description") or ""),
        )
        for one in operation.get("parameters", [])
    )
    return f"<details>{head}{about}{_table(rows)}</details>"


def _shape(name: str, shape: Json) -> str:
    rows = "".join(
        ROW.format(name=escape(field), kind=escape(_kind(kind)), about="")
        for field, kind in shape.get("properties", {}).items()
    )
    about = f"<p>{_words(shape.get('description', ''))}</p>"
    anchor = f"id='{escape(name, quote=True)}'"
    return f"<details {anchor}><summary>{escape(name)}</summary>{about}{_table(rows)}</details>"


def _words(text: str) -> str:
    """Return prose with its names in backticks set as code."""
    return _NAME.sub(r"<code>\1</code>", escape(text))


def _table(rows: str) -> str:
    return f"<table>{rows}</table>" if rows else ""


def _kind(schema: Json) -> str:
    """Return a schema in a few words: its type, what it may be, its default."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return ", ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    text = str(schema.get("const", schema.get("type", "any")))
    default = schema.get("default")
    return f"{text}, default {default}" if default not in (None, "") else text
