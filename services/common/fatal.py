"""The end of a process that must not go on."""

import os
import sys
import traceback

from services.common import logging

FATAL_STATUS = 70


def die(error: BaseException) -> None:
    """End the process at once and loudly: what is acknowledged is safe, the rest is not."""
    logging.get("process").critical("fatal", error=f"{type(error).__name__}: {error}")
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(FATAL_STATUS)


def leave() -> None:
    """End the process at once and in order: what still runs would meet what is closed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
