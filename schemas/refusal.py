"""Why an item or a whole body is not taken: a closed list of codes, and what is told back."""

import json
from typing import Literal

from msgspec import Struct

Code = Literal[
    # The item cannot be read.
    "invalid_json",
    "invalid_utf8",
    "invalid_text",
    "duplicate_key",
    "too_deep",
    "too_large",
    "not_an_object",
    # It can be read, and a field of it cannot be meant.
    "missing_field",
    "missing_id",
    "invalid_field",
    "invalid_currency",
    # It is too far from now.
    "too_old",
    "in_future",
]
"""Every reason for which one item is refused; the others of its body are taken."""

BodyCode = Literal["invalid_body", "too_large"]
"""Every reason for which a whole body is refused."""

WarningCode = Literal[
    "not_idempotent",
    "no_value",
    "unknown_field",
    "unknown_type",
    "not_a_page",
    "personal_id",
]
"""What is told of an accepted item: ``not_idempotent``: sent again, it would count twice;
``no_value``: an order that adds nothing to the revenue. In dry runs alone ``unknown_field``: a name
that no field has, kept among the properties; ``unknown_type``: a type that Waymark has no rules
for, taken as ``custom``; ``not_a_page``: a ``url`` that is none of a page; ``personal_id``: an id
that tells who somebody is, kept as it was sent."""

SHOWN = 80
"""So many characters of a wrong value are repeated in a message."""


class Refusal(Struct, frozen=True, gc=False):
    """One item that was not taken. ``field`` is a path such as ``products[1].price``, or ``""``."""

    code: Code
    field: str
    message: str
    event_id: str = ""


class BodyRefusal(Struct, frozen=True, gc=False):
    """A whole body that was not taken; nothing of it was read as an event."""

    code: BodyCode
    message: str


class Warned(Struct, frozen=True, gc=False):
    """What the sender of an accepted event should know."""

    event_id: str
    code: WarningCode
    message: str


def shown(value: object) -> str:
    """Return a value as it may stand in a message: one line of JSON, short, texts in quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > SHOWN:
        text = text[:SHOWN] + "…"
    if not text.isprintable():
        text = text.encode("ascii", "backslashreplace").decode()
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return f"'{text}'" if isinstance(value, str) else text
