"""The error tree: what a caller can do about it is in the class, what happened in the message."""

RETRY_AFTER_S = 2
"""Seconds whoever asks over HTTP is told to wait: most troubles that pass are over by then."""


class WaymarkError(Exception):
    """Anything Waymark raises on purpose; the message names the field or setting and its value."""


class InvalidError(WaymarkError):
    """The caller gave something that can never work; repeating it is useless."""


def invalid(field: str, value: object, why: str) -> InvalidError:
    """Return the refusal of what a parameter or option was given."""
    return InvalidError(f"{field} = {str(value)[:200]!r}: {why}")


class TooMuchError(WaymarkError):
    """The question costs more than one answer may; asking for less works."""


class RetryableError(WaymarkError):
    """It may work later; the caller keeps what it has and tries again."""


class UnavailableError(RetryableError):
    """The log or the storage does not answer, or the disk is full."""


class OverloadedError(RetryableError):
    """More is in flight than memory allows."""


class MovingError(RetryableError):
    """The partition asked for has no owner right now."""


class FatalError(WaymarkError):
    """Going on could lose or double something: the process must end."""
