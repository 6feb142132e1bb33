"""``waymark doctor``: what stands where, how far behind, and what to do about what is wrong."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.common.catalog import Catalog
from services.common.errors import WaymarkError
from services.common.ports import Hop, Storage
from services.common.settings import SECRET, Settings
from services.loader.migrate import applied, migrations
from services.sessionizer.core.policy import Policy
from services.standalone import queries
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command
from services.standalone.health import EngineHealth, clock_note

Verdict = Literal["ok", "note", "wrong"]
LOW_BYTES = 1 << 30
LAG_MS = 10_000
COUNTED = frozenset({"records", "rows", "forwards"})
"""Units of what may wait; the rest of the hops only work or do not."""
NO_KEY = "waymark keys create SOURCE makes one, unless ingest has its own by WAYMARK_WRITE_KEYS"
HIDDEN = "(hidden)"
"""What stands in a secret's place."""


class Check(Struct, frozen=True):
    """One finding: ``do`` says what to do where the verdict is not ok; ``facts`` are figures."""

    name: str
    verdict: Verdict
    message: str
    do: str = ""
    facts: dict[str, Any] = {}


def run(context: AdminContext, _args: dict[str, Any]) -> dict[str, Any]:
    """Return every check and the worst verdict; a check that fails is itself a finding."""
    return told([guarded(name, partial(check, context)) for name, check in CHECKS.items()])


def told(checks: list[Check]) -> dict[str, Any]:
    """Return a report of some checks: each, the worst verdict, and whether all is well."""
    verdicts = {check.verdict for check in checks}
    worst = next(one for one in ("wrong", "note", "ok") if one in verdicts)
    report = {"well": worst != "wrong", "verdict": worst, "checks": checks}
    found: dict[str, Any] = msgspec.to_builtins(report)
    return found


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Return what a check finds; that it fails is itself a finding."""
    try:
        return check()
    except (WaymarkError, OSError) as error:
        return Check(name, "wrong", str(error), "mend what the message names")


def _running(context: AdminContext) -> Check:
    """Return whether ``waymark run`` is at work: this runs in its process then."""
    facts = {"running": context.running}
    if context.running:
        return Check("running", "ok", f"yes, process {os.getpid()}", "", facts)
    message = "nothing runs on this folder: figures are as it was left"
    return Check("running", "note", message, "waymark run", facts)


def _settings(context: AdminContext) -> Check:
    return settings_check(context.settings, context.rules.policy)


def settings_check(settings: Settings, policy: Policy) -> Check:
    """Return the settings as they are, without secrets."""
    shown = {
        name: HIDDEN if name in SECRET and value else str(value)
        for name, value in settings.model_dump().items()
    }
    return Check("settings", "ok", f"policy version {policy.version}", "", {"settings": shown})


def _keys(context: AdminContext) -> Check:
    return keys_check(context.settings, context.catalog)


def keys_check(settings: Settings, catalog: Catalog) -> Check:
    """Return how many sources, keys and tokens there are: the catalog's, and these settings'."""
    keys = [key for key in catalog.write_keys() if key.revoked_ms is None]
    tokens = [token for token in catalog.read_tokens() if token.revoked_ms is None]
    sources = [source.name for source in catalog.sources()]
    count = len(keys) + len(settings.write_keys)
    facts = {"sources": sources, "write_keys": count, "read_tokens": len(tokens)}
    if not count:
        message = "no write key is in the catalog, or in WAYMARK_WRITE_KEYS here"
        return Check("keys", "note", message, NO_KEY, facts)
    return Check("keys", "ok", f"sources: {len(sources)}, write keys: {count}", "", facts)


def _disk(context: AdminContext) -> Check:
    free, sizes = shutil.disk_usage(context.folder.root).free, _sizes(context)
    facts = {"free_bytes": free, "sizes": sizes}
    taken = ", ".join(f"{name} {in_words(size)}" for name, size in sizes.items())
    message = f"{in_words(free)} free; {taken}"
    if free < LOW_BYTES:
        do = "free some: a full disk is answered with 503, and nothing is lost meanwhile"
        return Check("disk", "wrong", message, do, facts)
    return Check("disk", "ok", message, "", facts)


def in_words(size: int) -> str:
    """Return a number of bytes as people read it: 512 B, 1.5 KiB, 20.0 GiB."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:,.1f} {unit}"
    return f"{size} B"


def _sizes(context: AdminContext) -> dict[str, int]:
    folder = context.folder
    sizes = {
        path.name: sum(_size(path.with_name(path.name + end)) for end in ("", "-wal"))
        for path in (folder.log, folder.state, folder.catalog)
    }
    sizes["clickhouse"] = sum(_size(path) for path in whatever_is_in(folder.clickhouse))
    return sizes


def whatever_is_in(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder, however deep; nothing of one that a merge takes meanwhile."""
    for root, folders, files in os.walk(folder):  # unlike a path's own search, it passes over that
        yield from (Path(root, name) for name in (*folders, *files))


def _size(path: Path) -> int:
    """Return a file's bytes; 0 for one that a merge took away meanwhile."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    return found.st_blocks * 512


def _log(context: AdminContext) -> Check:
    log = context.log
    start, end, used = log.start(), log.end(), log.used_bytes()
    records = end - start + 1 if end else 0
    facts = {
        "records": records,
        "start": start,
        "end": end,
        "needed_after": context.parts.retention.needed_after(),
        "used_bytes": used,
        "clock_ms": log.append_ms(),
        "writer_seconds": _writer_seconds(context),
    }
    return Check("log", "ok", f"{records:,} records, {in_words(used)} in use", "", facts)


def _writer_seconds(context: AdminContext) -> float:
    """Return how long the log's writer takes to answer now."""
    started = time.perf_counter()
    context.log.job(lambda connection: connection.execute("PRAGMA user_version").fetchone())
    return round(time.perf_counter() - started, 6)


def _clock(context: AdminContext) -> Check:
    behind = context.log.behind_ms()
    note = clock_note(behind)
    facts = {"behind_ms": behind}
    if note:
        return Check("clock", "wrong", note, "set the machine's clock right (NTP)", facts)
    return Check("clock", "ok", "the wall clock agrees with the log's", "", facts)


def _pipeline(context: AdminContext) -> Check:
    hops = EngineHealth(context.engine, lambda: False).look()
    found = pipeline_check(hops, "wait, or give it more cores")
    return replace(found, facts=found.facts | {"visitors": context.states.count()})


def pipeline_check(hops: Sequence[Hop], late_do: str, settles_ms: int = 0) -> Check:
    """Return whether every hop works and is no more than ``LAG_MS`` behind.

    ``settles_ms`` is how long the sessionizer lets an event wait on purpose, where that counts as
    before it: only what is older is behind.
    """
    facts = {"hops": msgspec.to_builtins(hops)}
    rests = {"sessionizer": settles_ms}
    lag = ", ".join(_lag(hop, rests.get(hop.name, 0)) for hop in hops if hop.unit in COUNTED)
    troubles = [f"{hop.name}: {hop.trouble}" for hop in hops if hop.trouble]
    if troubles:
        message = f"{'; '.join(troubles)} ({lag})"
        return Check("pipeline", "wrong", message, "mend what it names", facts)
    late = [hop.name for hop in hops if (hop.age_ms or 0) > rests.get(hop.name, 0) + LAG_MS]
    if late:
        message = f"{', '.join(late)} behind by more than {LAG_MS // 1_000} s: {lag}"
        return Check("pipeline", "note", message, late_do, facts)
    return Check("pipeline", "ok", f"every hop keeps up: {lag}", "", facts)


def _lag(hop: Hop, rest_ms: int) -> str:
    """Return what a hop has before it: ``sessionizer 3 records (31.2 s, 30 s to settle)``."""
    count = "not known" if hop.lag is None else f"{hop.lag:,}"
    unit = "" if hop.unit == hop.name else f" {hop.unit}"
    settles = f", {rest_ms / 1_000:g} s to settle" if rest_ms and hop.age_ms else ""
    age = "" if hop.age_ms is None else f" ({hop.age_ms / 1_000:.1f} s{settles})"
    return f"{hop.name} {count}{unit}{age}"


def _storage(context: AdminContext) -> Check:
    return storage_check(context.storage)


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def storage_check(storage: Storage, cluster: str = "") -> Check:
    """Return the size of every table, and whether a migration is missing."""
    rows = storage.query(queries.text("sizes"))
    missing = sorted({one.name for one in migrations()} - applied(storage, cluster))
    facts = {"tables": rows, "missing_migrations": missing}
    if missing:
        return Check("storage", "wrong", f"{len(missing)} to do", "waymark migrate", facts)
    count, size = (sum(row[name] for row in rows) for name in ("rows", "bytes"))
    message = f"{_counted(count, 'row')} in {_counted(len(rows), 'table')}, {in_words(size)}"
    return Check("storage", "ok", message, "", facts)


CHECKS = {
    "running": _running,
    "settings": _settings,
    "keys": _keys,
    "disk": _disk,
    "log": _log,
    "clock": _clock,
    "pipeline": _pipeline,
    "storage": _storage,
}
COMMANDS = {"doctor": Command(run, alone=False)}
