"""``waymark migrate``: bring storage's tables to the newest form."""

from typing import Any

from services.loader.migrate import applied, migrate
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command


def run(context: AdminContext, _args: dict[str, Any]) -> dict[str, Any]:
    """Apply what is missing; ``applied`` names it, ``present`` all there is now."""
    fresh = migrate(context.storage)
    return {"applied": fresh, "present": sorted(applied(context.storage))}


COMMANDS = {"migrate": Command(run, begins=True)}
