"""Which commands work on the data folder, by name. See ``commands.py`` for all of them.

A handler takes the context and the arguments (JSON values) and returns a JSON-able result. It runs
in a thread of its own: inside the process when ``waymark run`` runs, else in the command's own
process, which then holds the folder's lock.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from services.common.errors import InvalidError
from services.standalone.admin.context import AdminContext

Handler = Callable[[AdminContext, dict[str, Any]], Any]


class Command(Struct, frozen=True):
    """A handler and how it may run.

    ``alone``: no two such commands run at once, since they change what the other reads.
    ``begins``: it may be the first on a folder; the others refuse a folder that is not there.
    """

    handler: Handler
    alone: bool = True
    begins: bool = False


Registry = Mapping[str, Command]


def find(registry: Registry, name: str) -> Command:
    """Return a command; raises ``InvalidError`` naming those there are."""
    found = registry.get(name)
    if found is None:
        raise InvalidError(f"unknown command {name!r}; there are: {', '.join(sorted(registry))}")
    return found
