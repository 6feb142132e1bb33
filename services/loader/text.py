"""The loader's named SQL: files of ``queries/`` with ``$slots`` for closed names."""

from functools import cache
from importlib import resources
from string import Template


@cache
def _template(name: str) -> Template:
    folder = resources.files("services.loader") / "queries"
    lines = (folder / f"{name}.sql").read_text("utf-8").splitlines()
    return Template("\n".join(line for line in lines if not line.startswith("--")))


def text(name: str, **slots: str) -> str:
    """Return the text of ``queries/NAME.sql`` with its slots filled."""
    return _template(name).substitute(slots)
