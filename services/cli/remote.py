"""Commands on the data folder, from the command line's side."""

from typing import Any

import msgspec

from services.cli import say
from services.common import logging
from services.common.settings import Settings, load
from services.standalone.admin.call import call as call_folder

SHARED = ("sources.", "keys.", "import", "rebuild", "policy.", "dlq.", "forget", "doctor")
"""Commands on what all parts of an installation on Kafka share."""


def call(command: str, data: str | None = None, **args: object) -> Any:
    """Run a command on the data folder and return its result as plain JSON values.

    It runs inside ``waymark run`` where that is at work, else here. ``data`` overrides the setting.
    What an installation on Kafka shares is found and changed there, whatever folder is named.
    """
    settings = settings_of(data=data)
    given = {name: value for name, value in args.items() if value is not None}
    if settings.kafka and command.startswith(SHARED):
        from services.cli.shared import call_shared  # noqa: PLC0415 - others start faster

        with say.progress() as report:
            return msgspec.to_builtins(call_shared(settings, command, given, report))
    with say.progress() as report:
        return msgspec.to_builtins(call_folder(settings, command, given, report))


def settings_of(**overrides: object) -> Settings:
    """Return the settings with a command's own options on top, and set up the logs."""
    settings = load(overrides=overrides)
    logging.configure(settings)
    return settings
