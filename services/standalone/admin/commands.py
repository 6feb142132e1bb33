"""All commands on the data folder; a module of handlers joins by its ``COMMANDS``."""

from services.standalone.admin import history, migrate, sources
from services.standalone.admin.registry import Registry


def all_commands() -> Registry:
    """Return every command by name."""
    return {**history.COMMANDS, **migrate.COMMANDS, **sources.COMMANDS}
