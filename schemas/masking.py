"""Masking: e-mail addresses and card-like numbers do not reach the log in URLs and properties.

Card-like: 13 to 19 digits, perhaps grouped by blanks, hyphens or dots, that begin with 2 to 6
(ISO/IEC 7812: the payment industries') and pass the Luhn check. Thirteen digits that are a valid
EAN are a product's number: cards of thirteen digits are no longer issued, and half the URLs of some
shops hold an EAN.
"""

import re
from itertools import accumulate
from typing import Any

EMAIL = "(email)"
CARD = "(card)"
"""What stands in the place of what was masked; legal in every part of a URL."""

_AT = r"(?:@|%40|%2540)"
_EMAIL = re.compile(
    rf"[\w.!$'*+^`{{|}}~%-]+{_AT}(?:[\w-]+\.)+[^\W\d_]{{2,}}", re.UNICODE | re.IGNORECASE
)
_GAP = r"(?:[ \-.+\u00a0]|%20|%2B|%2D|%C2%A0)"
_DIGITS = re.compile(rf"(?<!\d)\d(?:{_GAP}?\d){{12,}}", re.IGNORECASE)
_GROUP = re.compile(r"\d+")
_GAP_DIGITS = re.compile(r"%(?:20|2B|2D|C2%A0)", re.IGNORECASE)
_SHORTEST, _LONGEST, _EAN = 13, 19, 13


def mask(text: str) -> str:
    """Return the text with e-mail addresses and card-like numbers masked."""
    if "@" in text or "%40" in text or "%2540" in text:
        text = _EMAIL.sub(EMAIL, text)
    if _DIGITS.search(text):
        text = _DIGITS.sub(_masked_run, text)
    return text


def mask_value(value: Any) -> Any:
    """Return a JSON value with every text, number and key in it masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): mask_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [mask_value(part) for part in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _masked_number(value)
    return value


def _masked_number(value: float) -> float | str:
    text = str(value).removesuffix(".0")
    masked = mask(text)
    return value if masked == text else masked


def _masked_run(match: re.Match[str]) -> str:
    """Mask, in a run of grouped digits, each stretch of whole groups that is card-like."""
    run = match.group()
    blanked = _GAP_DIGITS.sub(lambda gap: " " * len(gap.group()), run)
    groups = list(_GROUP.finditer(blanked))
    out: list[str] = []
    done = index = 0
    while index < len(groups):
        last = _card_end(groups, index)
        if last is None:
            index += 1
            continue
        out += (run[done : groups[index].start()], CARD)
        done = groups[last].end()
        index = last + 1
    return "".join(out) + run[done:]


def _card_end(groups: list[re.Match[str]], first: int) -> int | None:
    """Return the last group of the longest card-like stretch from ``first``."""
    sizes = accumulate(len(group.group()) for group in groups[first:])
    for last, size in reversed(list(enumerate(sizes, first))):
        if _SHORTEST <= size <= _LONGEST:
            digits = [int(c) for group in groups[first : last + 1] for c in group.group()]
            if is_card_like(digits):
                return last
    return None


def is_card_like(digits: list[int]) -> bool:
    """Tell whether so many digits could be a payment card's number."""
    if not _SHORTEST <= len(digits) <= _LONGEST or digits[0] not in (2, 3, 4, 5, 6):
        return False
    return luhn(digits) and not (len(digits) == _EAN and ean(digits))


def luhn(digits: list[int]) -> bool:
    """Tell whether the last digit is right by ISO/IEC 7812."""
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def ean(digits: list[int]) -> bool:
    """Tell whether the last digit is right by GS1's rule for EAN-13."""
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0
