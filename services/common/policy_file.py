"""Reads a policy file (TOML): single values over the default rules, with errors that name both."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec

from schemas.event import EventType, PageKind
from services.common.errors import InvalidError
from services.sessionizer.core.policy import Policy

TABLES = ("session", "cart", "friction", "bots", "time", "links", "exclude")
"""Tables whose lines are fixed; in the others a shop may name what it likes, or types and kinds."""


def policy_of(path: Path | None) -> Policy:
    """Return the policy of a file, the rules as shipped where none is named."""
    return Policy() if path is None else read_policy(path)


def mark_of(policy: Policy) -> str:
    """Return what tells a policy from any other: its version, and a digest of all its rules."""
    digest = hashlib.sha256(msgspec.json.encode(policy, order="sorted")).hexdigest()[:8]
    return f"version {policy.version} ({digest})"


def read_policy(path: Path) -> Policy:
    """Return the policy of a file. Raises ``InvalidError`` naming file, field and value."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidError(f"policy file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidError(f"policy file {path} cannot be read: {error}") from error
    return parse_policy(text, str(path))


def parse_policy(text: str, name: str = "policy", base: Policy | None = None) -> Policy:
    """Return the policy that a TOML text says; what it leaves out stays as in ``base``.

    Tables are merged line by line over the base (default: the rules as shipped), every other value
    replaces its own. A text that changes a rule and names no ``version`` gets one made from its
    rules, 2^31 or more: rows of two different policies never bear the same number by oversight.
    Over a ``base`` a text has been stored before: it is not refused for bearing the base's version,
    but gets its own as well. Raises ``InvalidError`` naming ``name``, field and value.
    """
    stored = base is not None
    base = base or Policy()
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidError(f"{name} is not TOML: {error}") from error
    below = msgspec.to_builtins(base)
    _check_names(values, below, name)
    try:
        policy = msgspec.convert(_over(below, values), Policy)
    except msgspec.ValidationError as error:
        raise InvalidError(f"{name}: {_in_words(str(error), values)}") from error
    _check(policy, name)
    if msgspec.structs.replace(policy, version=base.version) == base:
        return policy
    taken = "version" in values and policy.version == base.version
    if taken and not stored:
        raise InvalidError(
            f"{name}: version = {policy.version} is that of other rules: give these a greater one, "
            "or leave it out to have one made from the rules"
        )
    if taken or "version" not in values:
        return msgspec.structs.replace(policy, version=_made_from(policy))
    return policy


def _made_from(policy: Policy) -> int:
    rules = msgspec.json.encode(msgspec.structs.replace(policy, version=1), order="sorted")
    return 1 << 31 | int.from_bytes(hashlib.sha256(rules).digest()[:4]) >> 1


def _check_names(values: dict[str, Any], base: dict[str, Any], name: str) -> None:
    """Refuse a rule that does not exist, naming those that do."""
    _check_lines(values, "a policy", tuple(base), name)
    of_table = {table: tuple(base[table]) for table in TABLES} | {
        "stage_of_type": get_args(EventType),
        "stage_of_page": get_args(PageKind),
    }
    for table, known in of_table.items():
        _check_lines(values.get(table), table, known, name)


def _check_lines(given: Any, table: str, known: tuple[str, ...], name: str) -> None:
    for key in given if isinstance(given, dict) else ():
        if key not in known:
            may = ", ".join(known)
            raise InvalidError(f"{name}: {table} has no line {key!r}; it may be one of {may}")


def _over(base: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Lay values over a base, table by table; a list or a single value replaces the old one."""
    merged = dict(base)
    for key, value in values.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _over(old, value)  # noqa: PLW2901 - the merged table takes its place
        merged[key] = value
    return merged


def _in_words(message: str, values: dict[str, Any]) -> str:
    """Begin a message that ends in its path, ``… - at `$.a.b` ``, with path and offending value."""
    what, _, path = message.replace("`", "").partition(" - at $.")
    what = what[:1].lower() + what[1:]
    value: Any = values
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return f"{path}: {what}"
        value = value[part]
    return f"{path} = {value!r}: {what}"


def _check(policy: Policy, name: str) -> None:
    """Refuse what no shop can mean: a duration or count that is not positive."""
    if policy.version < 1:
        raise InvalidError(f"{name}: version = {policy.version} is less than 1")
    for group in ("session", "cart", "time"):
        for key, value in msgspec.structs.asdict(getattr(policy, group)).items():
            if isinstance(value, int) and value <= 0:
                raise InvalidError(f"{name}: {group}.{key} = {value} is not greater than 0")
    if policy.cart.checkout_idle_ms > policy.cart.idle_ms:
        raise InvalidError(
            f"{name}: cart.checkout_idle_ms = {policy.cart.checkout_idle_ms} is greater than "
            f"cart.idle_ms = {policy.cart.idle_ms}: a checkout is given up no later than its cart"
        )
