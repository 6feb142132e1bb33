"""SQL by name: one file a statement, values bound, ``$slots`` only for closed names and texts."""

from importlib import resources
from string import Template


class NamedSql:
    """The statements of one folder; a file is read when it is first asked for, then kept."""

    def __init__(self, package: str, folder: str = "queries") -> None:
        """Name statements by their files in this folder of an import package."""
        self._package = package
        self._folder = folder
        self._templates: dict[str, Template] = {}

    def __call__(self, name: str, **slots: str) -> str:
        """Return the text of ``NAME.sql`` with its slots filled, without its comment lines.

        What a caller gives is never a slot: values travel as bound parameters (``{name:Type}``).
        Raises ``KeyError`` for a slot that is not filled.
        """
        return self.template(name).substitute(slots)

    def template(self, name: str) -> Template:
        """Return the text with its slots open, for those who work on it before they fill them."""
        found = self._templates.get(name)
        if found is None:
            file = resources.files(self._package).joinpath(self._folder, f"{name}.sql")
            lines = file.read_text("utf-8").splitlines()
            found = Template("\n".join(line for line in lines if not line.startswith("--")))
            self._templates[name] = found
        return found
