"""The exact way to read an item: slower than ``reading``, and it names the field and the value."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.identity import tidied
from schemas.refusal import Code, Refusal, shown
from schemas.sent_id import id_field, read_id, told_id
from schemas.wire import (
    OWN_FIELDS,
    Draft,
    Wire,
    WireConsent,
    WireError,
    WireForm,
    WirePerf,
    WireProduct,
    WireSurvey,
    WireUtm,
)

MAX_DEPTH = 32
"""Nesting of objects and arrays that an event may have."""

_KNOWN = frozenset(Wire.__annotations__)
_NESTED = {
    "products": frozenset(WireProduct.__annotations__),
    "utm": frozenset(WireUtm.__annotations__),
    "survey": frozenset(WireSurvey.__annotations__),
    "perf": frozenset(WirePerf.__annotations__),
    "form": frozenset(WireForm.__annotations__),
    "error": frozenset(WireError.__annotations__),
    "consent": frozenset(WireConsent.__annotations__),
}
_WHOLE_NUMBERS = frozenset({"ts_ms", "sent_ms", "engaged_ms", "results_count"})
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_PLACED = re.compile(r"^(?P<what>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_STEP = re.compile(r"\.?(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")
_GOT = re.compile(r", got \w+$|(?<=enum value) '.*'$", re.DOTALL)
"""What msgspec says of the value; the value itself follows."""
_MEANT = {
    "ts_ms": " (epoch milliseconds; a date is sent as timestamp)",
    "sent_ms": " (epoch milliseconds)",
}
_MOST_DIGITS = 300


class _RefusedError(Exception):
    """What was found wrong; never leaves this module."""

    def __init__(self, code: Code, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.message = code, field, message


class _NonFinite(str):
    """A number that JSON does not know, kept until its field is known."""

    __slots__ = ()


def read(item: bytes) -> Draft | Refusal:
    """Return the item's fields as sent, typed by ``Wire``, or the first thing wrong with it."""
    found: dict[str, Any] = {}
    try:
        found = _parsed(_decoded(item))
        _check_leaves(found)
    except _RefusedError as refused:
        event_id = told_id(found) if found else read_id(item)
        return Refusal(refused.code, refused.field, refused.message, event_id)
    return arranged(found)


def arranged(found: dict[str, Any]) -> Draft | Refusal:
    """Return a sound JSON object as a draft: nulls dropped, unknown fields kept, all else typed."""
    name = id_field(found)
    if name in ("", "event_id"):
        return _arranged(found)
    renamed = found | {"event_id": found[name]}
    del renamed[name]
    draft = _arranged(renamed)
    if isinstance(draft, Refusal) and draft.field == "event_id":
        told = name + draft.message.removeprefix("event_id")
        return Refusal(draft.code, name, told, draft.event_id)
    return draft


def _arranged(found: dict[str, Any]) -> Draft | Refusal:
    try:
        draft = _typed(_sorted_out(found))
    except _RefusedError as refused:
        return Refusal(refused.code, refused.field, refused.message, told_id(found))
    return tidied(draft)


def _decoded(item: bytes) -> str:
    try:
        text = item.decode()
    except UnicodeDecodeError as error:
        place = f"byte {item[error.start]:#04x} at {error.start}"
        raise _RefusedError("invalid_utf8", "", f"{place} is no UTF-8") from error
    deepest = depth = 0
    for mark in _BRACKETS.findall(text):
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise _RefusedError("too_deep", "", f"nesting is {deepest} deep, {MAX_DEPTH} is allowed")
    return text


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_NonFinite, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise _RefusedError("invalid_json", "", f"{error.msg} at character {error.pos}") from error
    if not isinstance(found, dict):
        raise _RefusedError("not_an_object", "", f"an event is a JSON object, got {shown(found)}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            name = shown(key).strip("'")
            raise _RefusedError("duplicate_key", name, f"{name} is twice, last as {shown(value)}")
        seen.add(key)
    return result


def _integer(digits: str) -> int | str:
    """Return the number; one of absurd length as text, which loses nothing."""
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _check_leaves(found: dict[str, Any]) -> None:
    for at, leaf in _leaves(found, ""):
        if isinstance(leaf, _NonFinite) or (isinstance(leaf, float) and not math.isfinite(leaf)):
            raise _RefusedError("invalid_field", at, f"{at} must be a finite number, got {leaf}")
        if isinstance(leaf, str):
            _check_text(leaf, at)


def _check_text(text: str, at: str) -> None:
    if "\x00" in text:
        raise _RefusedError("invalid_text", at, f"{at} holds a NUL character: {shown(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"{at} holds a lone surrogate: {shown(text)}"
        raise _RefusedError("invalid_text", at, message) from error


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every key and every value that is no container, with its path."""
    if isinstance(value, dict):
        for key, part in value.items():
            name = shown(key).strip("'")
            at = f"{path}.{name}" if path else name
            yield at, key
            yield from _leaves(part, at)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _leaves(part, f"{path}[{index}]")
    else:
        yield path, value


def _sorted_out(found: dict[str, Any]) -> Draft:
    """Drop nulls, move what is unknown into ``properties``, take whole floats for integers."""
    draft: Draft = {}
    rest: dict[str, Any] = {}
    for key, value in found.items():
        if value is None:
            continue
        if key in _NESTED:
            draft[key], unknown = _divided(value, _NESTED[key])
            if unknown:
                rest[key] = unknown
        elif key in _KNOWN:
            draft[key] = _whole(value) if key in _WHOLE_NUMBERS else value
        elif key not in OWN_FIELDS:
            rest[key] = value
    return _with_rest(draft, rest) if rest else draft


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _divided(value: Any, known: frozenset[str]) -> tuple[Any, Any]:
    """Return what is known of an object or of a list of objects, and what is not."""
    if isinstance(value, list):
        pairs = [_divided(part, known) for part in value]
        rests = [rest or {} for _, rest in pairs]
        return [kept for kept, _ in pairs], rests if any(rests) else None
    if not isinstance(value, dict):
        return value, None
    given = {key: _whole(part) for key, part in value.items() if part is not None}
    kept = {key: part for key, part in given.items() if key in known}
    return kept, {key: part for key, part in given.items() if key not in known}


def _with_rest(draft: Draft, rest: dict[str, Any]) -> Draft:
    """Add the rest to the properties; where a name is taken there, under ``_`` before it."""
    own = draft.get("properties", {})
    if isinstance(own, dict):
        draft["properties"] = own | {("_" * (key in own)) + key: rest[key] for key in rest}
    return draft


def _typed(draft: Draft) -> Draft:
    try:
        typed: Draft = msgspec.convert(draft, Wire)
    except msgspec.ValidationError as error:
        raise _misfit(draft, str(error)) from error
    return typed


def _misfit(draft: Draft, said: str) -> _RefusedError:
    placed = _PLACED.match(said)
    path = placed["path"].removeprefix(".").removesuffix("[...]") if placed else ""
    what = placed["what"] if placed else said
    missing = _MISSING.match(what)
    if missing:
        path = f"{path}.{missing['field']}".removeprefix(".")
        return _RefusedError("missing_field", path, f"{path} is missing")
    what = _GOT.sub("", what[0].lower() + what[1:].replace("`", "")) + _MEANT.get(path, "")
    return _RefusedError("invalid_field", path, f"{path}: {what}, got {shown(_at(draft, path))}")


def _at(value: Any, path: str) -> Any:
    for step in _STEP.finditer(path):
        if step["index"] and isinstance(value, list):
            value = value[int(step["index"])]
        elif isinstance(value, dict):
            value = value.get(step["key"])
    return value
