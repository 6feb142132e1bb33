"""How answers of what holds now leave over HTTP: JSON by msgspec, kept by no cache between."""

from collections.abc import Mapping

import msgspec
from fastapi import Response

from services.common.errors import RETRY_AFTER_S

ENCODER = msgspec.json.Encoder()


def json_answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return content as JSON."""
    return Response(
        ENCODER.encode(content),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        "application/json",
    )


def unavailable(message: str) -> Response:
    """Return the refusal of what may work a moment later."""
    refusal = {"code": "unavailable", "message": message}
    return json_answer(refusal, 503, {"Retry-After": str(RETRY_AFTER_S)})
