"""``waymark outgrow``: a stopped data folder moves to Kafka and a ClickHouse server.

1. The folder is locked, and marked as moving: nothing else may run on it from here on.
2. Its fold comes to rest (``drain``): no event waits, nothing is on its way.
3. Rows go to the server (``rows``), keys and sources to the catalog's topic, live states to the
   changelog (``states``), in this order: a worker can start only once the last is whole.

Every step may be repeated; a portion that arrived is not copied again. The folder itself stays
whole: removing the mark makes it an installation again, as of the move.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from services.common.clock import SystemClock
from services.common.errors import InvalidError
from services.common.fatal import die
from services.common.ports import PartitionMeta, Sink, nothing
from services.common.ports import Progress as Report
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.loader.marks import MarkingSink
from services.loader.warehouse import migrated
from services.standalone.folder import Folder, FolderLock
from services.standalone.outgrow.drain import StillClock, drain
from services.standalone.outgrow.keys import copy_catalog
from services.standalone.outgrow.progress import Progress
from services.standalone.outgrow.rows import copy_rows
from services.standalone.outgrow.states import check_unused, copy_states
from services.standalone.parts import Parts, open_parts


def outgrow(settings: Settings, report: Report = nothing) -> dict[str, Any]:
    """Move the settings' data folder; return how much went, and where to.

    Raises ``InvalidError`` for a folder in use, a setting that is missing, or a target that is in
    use; ``UnavailableError`` where Kafka or ClickHouse does not answer. Both may be mended and the
    move taken up again.
    """
    to = _target(settings)
    folder = Folder(settings.data)
    if not folder.log.exists():
        raise InvalidError(f"data folder {folder.root} holds no installation; name it with --data")
    with FolderLock(folder, moving=True):
        progress = Progress(folder.moving, to)
        asyncio.run(_check(settings, progress))
        progress.save()
        storage = migrated(settings)
        try:
            clock = StillClock()
            with open_parts(settings, die, clock=clock) as parts:
                sink = MarkingSink(storage, SystemClock())
                return move(settings, parts, clock, sink, progress, report=report)
        finally:
            storage.close()


async def _check(settings: Settings, progress: Progress) -> None:
    await ensure_topics(settings)
    if not progress.done.finished_ms:
        await check_unused(settings, resumed=progress.done.writing)


def move(
    settings: Settings,
    parts: Parts,
    clock: StillClock,
    target: Sink,
    progress: Progress,
    *,
    report: Report = nothing,
) -> dict[str, Any]:
    """Move opened parts to a sink and to the settings' topics; return how much went now."""
    if progress.done.finished_ms:
        return {"moved_to": progress.done.to, "rows": 0, "keys": 0, "states": 0}
    report(0, None, "folding what waits")
    meta = drain(parts, clock)
    rows = copy_rows(parts.storage, target, progress, report)
    keys = _move_catalog(settings, parts, progress, report)
    states = _move_states(settings, parts, meta, progress, report)
    progress.done.finished_ms = SystemClock().now_ms()
    progress.save()
    return {"moved_to": progress.done.to, "rows": rows, "keys": keys, "states": states}


def _move_catalog(settings: Settings, parts: Parts, progress: Progress, report: Report) -> int:
    if progress.done.catalog:
        return 0
    report(0, None, "sources and keys")
    resumed, progress.done.naming = progress.done.naming, True
    progress.save()
    copied = copy_catalog(settings, parts.folder.catalog, resumed=resumed)
    progress.done.catalog = True
    progress.save()
    return copied


def _move_states(
    settings: Settings,
    parts: Parts,
    meta: PartitionMeta | None,
    progress: Progress,
    report: Report,
) -> int:
    if meta is None or progress.done.states:
        return 0
    total = parts.states.count()
    progress.done.writing = True
    progress.save()
    copied = asyncio.run(copy_states(settings, parts.states, total, meta, report))
    progress.done.states = True
    progress.save()
    return copied


def _target(settings: Settings) -> str:
    """Return the target's name, without a secret."""
    if not settings.kafka:
        raise InvalidError("setting WAYMARK_KAFKA is empty: name Kafka's bootstrap servers")
    where = urlsplit(settings.clickhouse)
    if where.scheme not in {"http", "https"}:
        raise InvalidError("setting WAYMARK_CLICKHOUSE must name a server, http(s)://…/db")
    events = topic_name(settings, "events")
    return f"{settings.kafka} {events} {where.hostname}:{where.port or ''}{where.path}"
