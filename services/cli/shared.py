"""Commands on the catalog of a distributed installation, which lives in Kafka."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from services.common.catalog import Catalog
from services.common.catalog_topic import open_catalog
from services.common.clock import SystemClock
from services.common.settings import Settings
from services.standalone.admin import sources


class _Context(Struct, frozen=True):
    catalog: Catalog


def call_shared(settings: Settings, command: str, args: Mapping[str, Any]) -> Any:
    """Run the command on the topic's catalog; every part knows the result within a second."""
    catalog = open_catalog(settings, SystemClock())
    try:
        handler = _HANDLERS[command]
        return handler(_Context(catalog), dict(args))
    finally:
        catalog.close()


_HANDLERS = {
    "sources.ls": sources.list_sources,
    "sources.set": sources.set_source,
    "keys.ls": sources.list_keys,
    "keys.create": sources.create_key,
    "keys.revoke": sources.revoke_key,
}
