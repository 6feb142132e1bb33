"""Arguments of a command, as they come through the control socket: checked by name and type."""

from typing import Any, TypeVar

from services.common.errors import InvalidError

T = TypeVar("T")


def optional(args: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """Return an argument, None where it is absent; ``InvalidError`` names one of a wrong type."""
    value = args.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidError(f"{name} = {value!r} is no {kind.__name__}")
    return value


def required(args: dict[str, Any], name: str, kind: type[T]) -> T:
    """Return an argument that must be there."""
    value = optional(args, name, kind)
    if value is None:
        raise InvalidError(f"{name} is missing")
    return value
