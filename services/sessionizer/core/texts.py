"""Texts that most states hold, as small numbers."""

from typing import Final

Code = int | str
"""A text, or the place where ``TEXTS`` has it."""

# The order is part of a state's format: a change asks for a new version of it.
TEXTS: Final = (
    *("", "direct", "internal", "paid_search", "organic_search", "paid_social", "organic_social"),
    *("paid_video", "organic_video", "paid_shopping", "organic_shopping", "display", "paid_other"),
    *("email", "sms", "push", "affiliate", "audio", "offline", "ai_assistant", "referral"),
    *("campaign", "desktop", "mobile", "tablet", "tv", "other"),
    *("Chrome", "Chrome Mobile", "Chrome Mobile iOS", "Chrome Mobile WebView", "Safari"),
    *("Mobile Safari", "Mobile Safari UI/WKWebView", "Firefox", "Firefox Mobile", "Firefox iOS"),
    *("Edge", "Edge Mobile", "Opera", "Opera Mobile", "Samsung Internet", "Facebook", "Instagram"),
    *("Google", "Android", "iOS", "Windows", "Mac OS X", "Linux", "Ubuntu", "Chrome OS"),
)

_NUMBERS = {text: place for place, text in enumerate(TEXTS)}


def to_code(text: str) -> Code:
    """Return a text's number where it has one, else the text."""
    return _NUMBERS.get(text, text)


def of_code(code: Code) -> str:
    """Return the text that a number or text stands for. Raises IndexError on an unknown number."""
    return TEXTS[code] if isinstance(code, int) else code
