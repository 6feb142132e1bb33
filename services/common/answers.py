"""How answers of what holds now leave over HTTP: JSON by msgspec, kept by no cache between.

Every refusal has one shape: ``{"code", "message"}``.
"""

from collections.abc import Mapping

import msgspec
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from services.common.errors import RETRY_AFTER_S

ENCODER = msgspec.json.Encoder()
CODES = {
    400: "invalid_parameter",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
}
"""Code by status, of what the framework refuses."""


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


def refusal(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a refusal."""
    return json_answer({"code": code, "message": message}, status, headers)


def unavailable(message: str) -> Response:
    """Return the refusal of what may work a moment later."""
    return refusal(503, "unavailable", message, {"Retry-After": str(RETRY_AFTER_S)})


async def http_refusal(_request: Request, error: Exception) -> Response:
    """Answer what the framework refuses, such as a path that is not there: its handler."""
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "error")
    return refusal(error.status_code, code, str(error.detail), error.headers)
