"""One file for each statement; ``text`` reads it."""

from services.common.named_sql import NamedSql

text = NamedSql("services.history")


def linking(name: str) -> str:
    """Return a statement that asks which aliases events name."""
    return text(name, aliases=text("aliases"))
