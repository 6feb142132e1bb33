"""All commands on the data folder; a module of handlers joins by its ``COMMANDS``."""

from services.standalone.admin import backup, doctor, forget, history, letters, migrate, sources
from services.standalone.admin.registry import Registry


def all_commands() -> Registry:
    """Return every command by name."""
    return {
        **backup.COMMANDS,
        **doctor.COMMANDS,
        **forget.COMMANDS,
        **history.COMMANDS,
        **letters.COMMANDS,
        **migrate.COMMANDS,
        **sources.COMMANDS,
    }
