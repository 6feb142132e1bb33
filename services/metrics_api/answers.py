"""The page of a list with its cursor, and what the OpenAPI document says of an answer."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Response
from msgspec import Struct

from services.common.answers import json_answer
from services.metrics_api.cursors import Place, encode


def page(
    rows: Sequence[dict[str, Any]],
    limit: int,
    place: Callable[[dict[str, Any]], tuple[int, str]],
    mark: str,
    shape: Callable[[dict[str, Any]], object],
) -> Response:
    """Return the first ``limit`` rows and, where more were found, the cursor of the last."""
    shown = rows[:limit]
    following = encode(Place(*place(shown[-1]), mark)) if len(rows) > limit else None
    return json_answer({"rows": [shape(row) for row in shown], "next": following})


def described(kind: type[Struct], *, rows: bool = False, text: str = "") -> dict[int | str, Any]:
    """Return the OpenAPI entry of an answer; the struct itself stands among the components."""
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    if rows:
        schema = {
            "type": "object",
            "properties": {
                "rows": {"type": "array", "items": schema},
                "next": {"type": ["string", "null"], "description": "cursor of the next page"},
            },
        }
    content = {"application/json": {"schema": schema}}
    return {200: {"description": text or (kind.__doc__ or "").split("\n")[0], "content": content}}
