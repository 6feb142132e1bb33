"""What the OpenAPI document says of an answer."""

from typing import Any

from msgspec import Struct

NEXT = {"type": ["string", "null"], "description": "cursor of the next page"}
COMPLETE = {
    "type": ["integer", "null"],
    "description": "what came in time and happened before is among the rows",
}


def described(
    kind: type[Struct], *, rows: bool = False, ageless: bool = False
) -> dict[int | str, Any]:
    """Return the OpenAPI entry of an answer; the struct itself stands among the components.

    ``rows`` of what has no time (``ageless``) are all there are.
    """
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    if rows:
        properties = {"rows": {"type": "array", "items": schema}, "next": NEXT}
        if not ageless:
            properties["complete_to_ms"] = COMPLETE
        schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema}}
    return {200: {"description": (kind.__doc__ or "").split("\n")[0], "content": content}}
