"""One shape for every refusal: ``{"code", "message"}``, never a stack trace.

The message names the field and the value, so that a caller can mend the call without the docs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_origin

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.common.answers import http_refusal, refusal, unavailable
from services.common.errors import (
    RETRY_AFTER_S,
    InvalidError,
    OverloadedError,
    RetryableError,
    TooMuchError,
    WaymarkError,
    invalid,
)

WORDS = {
    "int_parsing": "a whole number is needed",
    "int_parsing_size": "a whole number is needed, and a smaller one",
    "bool_parsing": "true or false is needed",
    "literal_error": "is none of {expected}",
    "greater_than_equal": "at least {ge} is needed",
    "less_than_equal": "at most {le} is taken",
}
"""What pydantic finds wrong with a parameter, by its name for it, in our words."""
MOST_NAMED = 3
"""So many of the sources that were searched are named where nothing was found."""


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


def once(request: Request) -> None:
    """Refuse a parameter given twice where one value is taken: which one would be a guess."""
    given, route = request.query_params, request.scope["route"]
    if len(given.multi_items()) == len(given) or not route.path.startswith("/v1/"):
        return
    models = (one.field_info.annotation for one in route.dependant.query_params)
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    lists = {name for name, field in fields.items() if get_origin(field.annotation) is list}
    for name in given:
        values = given.getlist(name)
        if len(values) > 1 and name not in lists:
            raise invalid(name, values[1], f"is given already, as {values[0][:200]!r}")


def filled(request: Request) -> None:
    """Refuse a parameter without a value, which would ask for everything.

    It is mostly a variable that nobody has set: whoever asks for one visitor's rows, or erases in
    one source, is not to be answered with all visitors', or to erase in another.
    """
    if not request.scope["route"].path.startswith("/v1/"):
        return
    for name, value in request.query_params.multi_items():
        if not value:
            raise invalid(name[:200], value, "is empty; give a value, or leave the parameter out")


def _unknown(name: str, value: object) -> ApiError:
    message = f"unknown parameter {name[:200]} = {str(value)[:200]!r}"
    return ApiError(400, "invalid_parameter", message)


def not_found(what: str, name: str, sources: Sequence[str] = (), *, hint: str = "") -> ApiError:
    """Return the refusal for something that is not there, or not for this caller: both alike.

    ``sources`` are those in which it was looked for; of many the first few are named.
    ``hint`` goes on to say where to look.
    """
    named = [repr(source) for source in sources[:MOST_NAMED]]
    if len(sources) > MOST_NAMED:
        named.append(f"{len(sources) - MOST_NAMED} more")
    where = f" in source {' or '.join(named)}" if named else ""
    return ApiError(404, "not_found", f"no {what} {name[:200]!r}{where}{hint}")


def install(app: FastAPI) -> None:
    """Make every error of the app answer in the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(WaymarkError, _waymark_error)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, http_refusal)
    app.add_exception_handler(Exception, _unexpected)


async def _api_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return refusal(error.status, error.code, str(error), error.headers)


async def _waymark_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, InvalidError):
        return refusal(400, "invalid_parameter", str(error))
    if isinstance(error, TooMuchError):
        return refusal(400, "too_much", str(error))
    if isinstance(error, OverloadedError):
        return refusal(429, "overloaded", str(error), {"Retry-After": str(RETRY_AFTER_S)})
    if isinstance(error, RetryableError):
        return unavailable(str(error))
    raise error


async def _validation(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return refusal(400, "invalid_parameter", _first(error.errors()))


def _first(errors: Any) -> str:
    found = errors[0]
    # Without the place in a list, which nobody counted.
    names = [part for part in found["loc"][1:] if isinstance(part, str)]
    field = ".".join(names) or str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        return str(_unknown(field, found["input"]))
    if found["type"] == "missing":
        return f"{field} is missing"
    words = WORDS.get(found["type"])
    why = words.format(**found.get("ctx", {})) if words else found["msg"]
    return str(invalid(field, found.get("input"), why))


async def _unexpected(request: Request, error: Exception) -> Response:
    structlog.get_logger(__name__).error(
        "read_failed", path=request.url.path, error=type(error).__name__, exc_info=error
    )
    return refusal(500, "internal", "this failed on our side; the log of the service says why")
