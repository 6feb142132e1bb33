"""Structured logs: one event a line, named fields, no secret and no shopper's data."""

import logging
import sys
from typing import Any

import structlog

from services.common.settings import Settings

HIDDEN = frozenset(
    {"authorization", "key", "write_key", "read_token", "token", "cookie", "password"}
)
"""Fields whose value never reaches a line, whoever logs them."""

CHATTY = ("httpx", "httpcore", "aiokafka")
"""Libraries that tell of every single request what we tell of better."""

STORAGE = "waymark.storage"
"""Says of each statement that failed what ClickHouse, or the client library, said."""

REPEATING = ("aiokafka", STORAGE)
"""Who says the same ten times a second for as long as a broker or storage is away."""
REPEAT_SECONDS = 30.0


class Seldom(logging.Filter):
    """Lets each message of those who repeat themselves through once in a while."""

    def __init__(self) -> None:
        """Know of no message yet."""
        super().__init__()
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written."""
        if not record.name.startswith(REPEATING):
            return True
        key = (record.name, str(record.msg))  # the template: one entry a place in the code
        if record.created - self._told.get(key, 0.0) < REPEAT_SECONDS:
            return False
        self._told[key] = record.created
        return True


def hide_secrets(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace the value of every field that names a secret."""
    return {name: "(hidden)" if name.lower() in HIDDEN else value for name, value in event.items()}


def configure(settings: Settings) -> None:
    """Send structlog and the standard library's loggers to stderr in one form; call once."""
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    last: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    level = getattr(logging, settings.log_level.upper())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _trace, last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _trace(_logger: object, _method: str, event: Any) -> Any:
    return structlog.processors.format_exc_info(_logger, _method, event)


def get(name: str) -> Any:
    """Return the logger of a part, for example ``get("ingest").info("started", port=8080)``."""
    return structlog.get_logger(name)
