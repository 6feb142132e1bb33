"""Commands on a distributed installation: its catalog lives in Kafka, its history in ClickHouse."""

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from services.cli.shared_doctor import report
from services.common.catalog import Catalog
from services.common.catalog_topic import open_catalog
from services.common.clock import SystemClock
from services.common.errors import InvalidError
from services.common.ports import Progress
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from services.history.distributed.forget import forget
from services.history.distributed.installation import Distributed, opened
from services.standalone.admin import history, letters, sources
from services.standalone.admin.arguments import optional


class _Context(Struct, frozen=True):
    catalog: Catalog


def call_shared(
    settings: Settings, command: str, args: Mapping[str, Any], progress: Progress
) -> Any:
    """Run the command on the installation; what it changes every part knows within a second.

    Raises ``InvalidError`` where the topics, or the policy of the workers, are not as set here.
    """
    if command == "doctor":
        return report(settings)
    if command in _ON_HISTORY:
        # Another number of partitions than the topics have would be waited for in vain.
        asyncio.run(ensure_topics(settings))
        with opened(settings, progress) as installation:
            if command in _BY_RULES:
                _check_policy(installation)
            return _ON_HISTORY[command](installation, dict(args))
    catalog = open_catalog(settings, SystemClock())
    try:
        return _ON_CATALOG[command](_Context(catalog), dict(args))
    finally:
        catalog.close()


def _check_policy(here: Distributed) -> None:
    if wrong := here.log.differs(here.rules.policy):
        raise InvalidError(wrong)


def _forget(here: Distributed, args: dict[str, Any]) -> dict[str, int]:
    return forget(
        here.log,
        here.storage,
        here.clock,
        sources.source_named(here, args).name,
        visitor_id=optional(args, "visitor_id", str) or "",
        user_id=optional(args, "user_id", str) or "",
    )


_ON_CATALOG = {
    "sources.ls": sources.list_sources,
    "sources.set": sources.set_source,
    "keys.ls": sources.list_keys,
    "keys.create": sources.create_key,
    "keys.revoke": sources.revoke_key,
}
_BY_RULES = {"import", "rebuild", "policy.try"}
"""Those that fold: by another policy than the workers' they would rewrite what was right."""
_ON_HISTORY = {
    "import": history.import_file,
    "rebuild": history.rebuild_source,
    "policy.try": history.try_policy,
    "dlq.ls": letters.list_letters,
    "dlq.show": letters.show_letter,
    "dlq.retry": letters.retry,
    "forget": _forget,
}
