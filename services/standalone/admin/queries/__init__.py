"""One file for each statement; ``text`` reads it."""

from functools import cache
from importlib.resources import files


@cache
def text(name: str) -> str:
    """Return the statement of ``NAME.sql``."""
    return (files(__package__) / f"{name}.sql").read_text("utf-8")
