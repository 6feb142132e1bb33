"""Sources, keys, tokens and salts into the catalog's topic, so that every key goes on working.

Keys are kept as digests under the installation's pepper, so the pepper goes too, and first.
"""

import sqlite3
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

from services.common.catalog_link import CatalogLink
from services.common.catalog_topic import PEPPER, TopicStore
from services.common.clock import SystemClock
from services.common.errors import InvalidError
from services.common.settings import Settings
from services.common.topics import topic_name

MADE_HERE = ("secret/",)
"""What would stop working under another pepper."""
STARTED = "started"


def copy_catalog(settings: Settings, path: Path, *, resumed: bool) -> int:
    """Write everything the catalog file holds; return how many keys and tokens.

    Raises ``InvalidError`` where keys were made in the topic already, which another pepper would
    make useless; ``resumed``: those are ours, from a try that was cut short.
    """
    held = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        _copy_ground(settings, held, resumed=resumed)
        return _copy_rows(settings, held)
    finally:
        held.close()


def _copy_ground(settings: Settings, held: sqlite3.Connection, *, resumed: bool) -> None:
    """Write pepper and salts in one transaction."""
    seen: dict[str, bytes | None] = {}

    def note(record: ConsumerRecord) -> None:
        seen[record.key.decode()] = record.value

    (pepper,) = held.execute("SELECT value FROM meta WHERE name = 'pepper'").fetchone()
    salts = held.execute("SELECT day, salt FROM salts").fetchall()
    link = CatalogLink(settings, note)
    link.open()
    try:
        if not resumed and any(key.startswith(MADE_HERE) for key, row in seen.items() if row):
            raise InvalidError(
                f"topic {topic_name(settings, 'catalog')} has keys already, which the folder's own "
                "would replace: set WAYMARK_KAFKA_PREFIX to a fresh name"
            )
        ground = {PEPPER: bytes(pepper)} | {f"salt/{day}": bytes(salt) for day, salt in salts}
        link.write(lambda: ground)
    finally:
        link.close()


def _copy_rows(settings: Settings, held: sqlite3.Connection) -> int:
    """Write sources, keys and tokens, revoked ones too."""
    store = TopicStore(settings, SystemClock(), keeper=False)
    store.open()
    try:
        for name, body in held.execute("SELECT name, body FROM sources ORDER BY name").fetchall():
            store.put_source(name, bytes(body))
        keys = held.execute(
            "SELECT role, id, digest, body, revoked_ms FROM secrets ORDER BY rowid"
        ).fetchall()
        for row in keys:
            _copy_key(store, *row)
        store.mark(STARTED)
    finally:
        store.close()
    return len(keys)


def _copy_key(
    store: TopicStore, role: str, key_id: str, digest: Any, body: Any, *revoked: int | None
) -> None:
    store.put_secret(role, key_id, bytes(digest), bytes(body))
    for at_ms in revoked:
        if at_ms is not None:
            store.revoke(role, key_id, at_ms)
