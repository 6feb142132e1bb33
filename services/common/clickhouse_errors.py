"""What ClickHouse and its client library say of a failure, as our errors say it.

Who asks over HTTP, or looks at ``/readyz``, is told in one sentence what is away and what to do;
what the library said, with addresses and statements, is for the log.
"""

import logging
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from services.common.clickhouse_address import Address
from services.common.errors import InvalidError, TooMuchError, UnavailableError
from services.common.logging import STORAGE

_LATER = (
    "MEMORY_LIMIT_EXCEEDED", "NOT_ENOUGH_SPACE", "TOO_MANY_PARTS", "TIMEOUT_EXCEEDED",
    "SOCKET_TIMEOUT", "NETWORK_ERROR", "TABLE_IS_READ_ONLY", "TOO_MANY_SIMULTANEOUS_QUERIES",
    "KEEPER_EXCEPTION", "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "ABORTED",
)  # fmt: skip
"""Server errors that pass: waiting and repeating the statement helps."""

_TOO_MUCH = frozenset({"TOO_MANY_ROWS", "TOO_MANY_BYTES", "TOO_MANY_ROWS_OR_BYTES"})

_SERVER_SAID = re.compile(r"DB::Exception: (.{1,200})")
_OTHER_SAID = re.compile(r"HTTP status (\d{3})")


@contextmanager
def named_errors(statement: str) -> Iterator[None]:
    """Say of a refused statement whether it is wrong, asks for too much, or may work later."""
    try:
        yield
    except OperationalError as error:
        _log(statement, error)
        raise UnavailableError("storage does not answer: does ClickHouse run?") from error
    except ClickHouseError as error:
        later = _later(error)
        if later:
            _log(statement, error)
            raise UnavailableError(f"storage cannot do this now: {later}") from error
        if any(name in str(error) for name in _TOO_MUCH):
            raise TooMuchError("this reads more than one answer may: shorten the range") from error
        text = f"storage refused: {str(error)[:600]} in: {statement[:300]}"
        raise InvalidError(text) from error


@contextmanager
def opening(address: Address) -> Iterator[None]:
    """Turn what a client says at its start into an ``UnavailableError`` that names the place."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        if "UNKNOWN_DATABASE" not in str(error):  # the reason says all; often it is made next
            _log(f"open {address.place}", error)
        raise UnavailableError(
            f"storage at {address.place} does not open: {_reason(error, address)}"
        ) from error


def _reason(error: Exception, address: Address) -> str:
    text = str(error)
    if "EmbeddedServer" in text or "BAD_ARGUMENTS" in text:
        return (
            "another process has it open, or this process has opened another folder "
            f"(an embedded store belongs to one process): {text[:200]}"
        )
    if address.embedded:
        return text[:500]
    if said := _SERVER_SAID.search(text):
        return said[1]
    if said := _OTHER_SAID.search(text):
        return f"what answers there is not ClickHouse, or stands before it: HTTP status {said[1]}"
    return _on_the_way(error)


def _on_the_way(error: BaseException) -> str:
    """Return which step of connecting failed, by what the client library's error came from."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return f"its name is not known: {cause.strerror}"
        # (aiohttp's own errors are of this class too, and have neither.)
        why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "")
        if isinstance(cause, ssl.SSLError) and why:
            return f"TLS failed: {why}"
        cause = cause.__cause__ or cause.__context__
    return "nothing answers there; does ClickHouse run?"


def _later(error: ClickHouseError) -> str:
    """Return why a statement may work later, empty where it never will.

    A proxy refused, not the server, where no code of the server's is in the error.
    """
    text = str(error)
    for name in _LATER:
        if name in text:
            return name
    between = "HTTP driver received HTTP status 5" in text
    return "what stands before ClickHouse refuses" if between else ""


def _log(statement: str, error: Exception) -> None:
    logging.getLogger(STORAGE).warning("storage: %s in: %s", str(error)[:600], statement[:300])
