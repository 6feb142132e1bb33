"""``waymark import``, ``waymark rebuild`` and ``waymark policy try``: history through the core."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from schemas.context import Context, Salts
from schemas.spans import DAY_MS
from services.common.catalog_rows import Source
from services.common.errors import InvalidError
from services.common.policy_file import parse_policy
from services.common.sites import site_of
from services.formats.reading import hint, read_file
from services.formats.registry import format_named
from services.history import queries
from services.history.installation import Installation
from services.history.intake import Rejected, Report, store
from services.history.rebuild import Summary, Task, addresses_between, marked, rebuild
from services.history.trial import Trial, trial
from services.loader.importing import importing
from services.loader.marks import MarkingSink
from services.sessionizer.core.policy import Rules, SourceRules
from services.standalone.admin.arguments import optional, required
from services.standalone.admin.registry import Command
from services.standalone.admin.sources import source_named


class Imported(Struct, frozen=True):
    """What ``waymark import`` did with a file; ``note`` says what its user should know, if any."""

    source: str
    events: int
    rejected: int
    named: list[Rejected]
    rebuilt: Summary
    note: str = ""


def import_file(context: Installation, args: dict[str, Any]) -> Imported:
    """Store a file's events, then rebuild the visitors they name and those linked to them."""
    source = source_named(context, args)
    with importing(context.storage, source.name) as alive:
        return _imported(context, source, args, alive)


def _imported(
    context: Installation, source: Source, args: dict[str, Any], alive: Callable[[], None]
) -> Imported:
    def progress(done: int, of: int | None, what: str) -> None:
        alive()
        context.progress(done, of, what)

    path = Path(required(args, "file", str))
    form = optional(args, "format", str) or "waymark"
    format_named(form)
    keep_ms = context.settings.events_keep_days * DAY_MS
    report = Report(kept_from_ms=context.clock.now_ms() - keep_ms)
    size = path.stat().st_size if path.exists() else None
    store(
        read_file(path, form, lambda done: progress(done, size, f"reading {path.name}")),
        history_context(context, source),
        partial(write_rows, context),
        report,
    )
    task = task_of(context, source, context.rules)
    rebuilt = rebuild(
        context.storage, task, partial(write_rows, context), report.addresses, progress
    )
    note = _soon_forgotten(context, report)
    if report.rejected and not report.events:
        note = hint(path, form)
    return Imported(source.name, report.events, report.rejected, report.named, rebuilt, note)


def _soon_forgotten(context: Installation, report: Report) -> str:
    """Say how many raw events will not stay, while there is time to keep them."""
    if not report.old:
        return ""
    return (
        f"{report.old} of {report.events} events are older than "
        f"WAYMARK_EVENTS_KEEP_DAYS = {context.settings.events_keep_days} days: the next daily "
        "clean-up drops their raw events. Sessions, carts and numbers stay, but rebuild and policy "
        "try need raw events: to keep them, set it higher and restart before then"
    )


def rebuild_source(context: Installation, args: dict[str, Any]) -> Summary:
    """Recompute a source from its stored events; ``dry_run`` only counts what would change.

    ``from_ms`` and ``to_ms`` choose the visitors with an event between; ``marked`` those whom late
    events have marked; without either, everybody.
    """
    source = source_named(context, args)
    task = task_of(context, source, _rules(context, source, args))
    write = None if optional(args, "dry_run", bool) else partial(write_rows, context)
    addresses = _chosen(context, source, args)
    summary = rebuild(context.storage, task, write, addresses, context.progress)
    notes = [summary.note]
    if not optional(args, "marked", bool):
        notes.append(_nothing_kept(context, source, optional(args, "from_ms", int) or 0))
    notes.append(_nobody_chosen(args) if addresses == [] else _nothing_closed(summary))
    summary.note = "; ".join(filter(None, notes))
    return summary


def _nobody_chosen(args: dict[str, Any]) -> str:
    if optional(args, "marked", bool):
        return "nobody is marked: no event came too late to be folded in"
    return "nobody has an event between from and to"


def _nothing_closed(summary: Summary) -> str:
    """Say why no row of all that was folded is so much as the same: what is open is left."""
    seen = any(one.new + one.changed + one.same + one.deleted for one in summary.tables.values())
    if seen or not summary.events:
        return ""
    return (
        "nothing has closed yet: every visitor has a session or a cart open, which is the live "
        "view's to state; a rebuild compares and replaces what closed before it"
    )


def try_policy(context: Installation, args: dict[str, Any]) -> Trial:
    """Recompute yesterday (or from-to) under another policy and show both; nothing is stored."""
    source = source_named(context, args)
    if optional(args, "policy", str) is None:
        raise InvalidError("policy is missing: name a policy file to try")
    now_ms = context.clock.now_ms()
    from_ms = optional(args, "from_ms", int)
    to_ms = optional(args, "to_ms", int) or now_ms
    if from_ms is None:
        from_ms = to_ms - DAY_MS
    tried = trial(
        context.storage,
        task_of(context, source, context.rules),
        _rules(context, source, args),
        (from_ms, to_ms),
        context.progress,
    )
    return replace(tried, note=_nothing_kept(context, source, from_ms))


def _nothing_kept(context: Installation, source: Source, from_ms: int) -> str:
    """Say where raw events, which alone can be folded again, do not reach back to a time."""
    (kept,) = context.storage.query(queries.text("span"), {"source": source.name})
    days = context.settings.events_keep_days
    why = (
        f"raw events are kept for WAYMARK_EVENTS_KEEP_DAYS = {days} days of their own times; what "
        "is older was left as it stands: set it higher and import again to fold it again"
    )
    if not int(kept["events"]) and not int(kept["sessions"]):
        return f"source {source.name} has no events yet"
    if not int(kept["events"]):
        return f"source {source.name} has no raw events: {why}"
    oldest_ms = int(kept["oldest_ms"])
    first_ms = int(kept["first_ms"]) if int(kept["sessions"]) else oldest_ms
    if max(from_ms, first_ms) >= oldest_ms:
        return ""
    day = datetime.fromtimestamp(oldest_ms / 1_000, UTC).date()
    return f"source {source.name} has raw events from {day} on only: {why}"


def _chosen(context: Installation, source: Source, args: dict[str, Any]) -> list[str] | None:
    if optional(args, "marked", bool):
        return marked(context.storage, source.name)
    from_ms, to_ms = optional(args, "from_ms", int), optional(args, "to_ms", int)
    if from_ms is None and to_ms is None:
        return None
    bounds = (from_ms or 0, to_ms or context.clock.now_ms())
    return addresses_between(context.storage, source.name, *bounds)


def _rules(context: Installation, source: Source, args: dict[str, Any]) -> Rules:
    text = optional(args, "policy", str)
    if text is None:
        return context.rules
    rules = SourceRules(parse_policy(text, optional(args, "policy_name", str) or "policy"))
    return lambda _source: SourceRules(rules.policy, source.currency)


def task_of(context: Installation, source: Source, rules: Rules) -> Task:
    """Return a rebuild of now."""
    now = context.standing()
    return Task(source.name, rules, now.as_of_ms, now.version, now.live)


def history_context(context: Installation, source: Source) -> Context:
    """Return what normalisation is told of events of any age that come from no request."""
    now_ms = context.clock.now_ms()
    salts = context.catalog.salts(now_ms)
    return Context(
        site=site_of(source, context.rules(source.name).policy),
        received_ms=now_ms,
        new_id=_random_id,
        key="test" if source.test else "server",
        salts=Salts(salts.today, salts.yesterday or b""),
        max_age_ms=None,
    )


def _random_id() -> str:
    return str(uuid.uuid4())


def write_rows(context: Installation, table: str, lines: list[bytes]) -> None:
    """Insert rows, once the sealed buckets they change are marked."""
    MarkingSink(context.storage, context.clock).insert(table, lines, "")


COMMANDS = {
    "import": Command(import_file, begins=True),
    "rebuild": Command(rebuild_source),
    "policy.try": Command(try_policy),
}
