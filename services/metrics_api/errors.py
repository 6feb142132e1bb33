"""One shape for every refusal: ``{"code", "message"}``, never a stack trace.

The message names the field and the value, so that a caller can mend the call without the docs.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.common.errors import (
    RETRY_AFTER_S,
    InvalidError,
    OverloadedError,
    RetryableError,
    TooMuchError,
    WaymarkError,
)

CODES = {
    400: "invalid_parameter",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
}


class ApiError(WaymarkError):
    """A refusal with its HTTP status and code."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


def only_known(request: Request) -> None:
    """Refuse a parameter that an endpoint without any of its own is given.

    The others refuse by their models what they do not know. ``source`` is let pass everywhere: who
    sends it with every question has made no mistake. Outside of ``/v1`` anything is.
    """
    route = request.scope["route"]
    if route.dependant.query_params or not route.path.startswith("/v1/"):
        return
    for name, value in request.query_params.items():
        if name != "source":
            raise _unknown(name, value)


def _unknown(name: str, value: object) -> ApiError:
    message = f"unknown parameter {name[:200]} = {str(value)[:200]!r}"
    return ApiError(400, "invalid_parameter", message)


def not_found(what: str, name: str) -> ApiError:
    """Return the refusal for something that is not there, or not for this caller: both alike."""
    return ApiError(404, "not_found", f"no {what} {name[:200]!r}")


def answer(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a refusal in the one shape."""
    return JSONResponse(
        {"code": code, "message": message}, status, dict(headers) if headers else None
    )


def install(app: FastAPI) -> None:
    """Make every error of the app answer in the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(WaymarkError, _waymark_error)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    return answer(error.status, error.code, str(error), error.headers)


async def _waymark_error(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, InvalidError):
        return answer(400, "invalid_parameter", str(error))
    if isinstance(error, TooMuchError):
        return answer(400, "too_much", str(error))
    wait = {"Retry-After": str(RETRY_AFTER_S)}
    if isinstance(error, OverloadedError):
        return answer(429, "overloaded", str(error), wait)
    if isinstance(error, RetryableError):
        return answer(503, "unavailable", str(error), wait)
    raise error


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return answer(400, "invalid_parameter", _first(error.errors()))


def _first(errors: Any) -> str:
    found = errors[0]
    field = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        return str(_unknown(field, found["input"]))
    if found["type"] == "missing":
        return f"{field} is missing"
    return f"{field} = {str(found.get('input'))[:200]!r}: {found['msg']}"


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "error")
    return answer(error.status_code, code, str(error.detail), error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    structlog.get_logger(__name__).error(
        "read_failed", path=request.url.path, error=type(error).__name__, exc_info=error
    )
    return answer(500, "internal", "this failed on our side; the log of the service says why")
