"""The nightly rebuild of a distributed installation, as a chore of the loader that owns chores."""

from typing import Any

from services.common import logging
from services.common.catalog import Catalog
from services.common.errors import InvalidError, UnavailableError
from services.common.policy_file import policy_of
from services.common.ports import Clock, Storage
from services.common.rules import CatalogRules
from services.common.settings import Settings
from services.history.distributed.live import LiveWorkers, linked
from services.history.nightly import Nightly
from services.history.rebuild import Summary, Task, marked, rebuild
from services.loader.marks import MarkingSink


def nightly(settings: Settings, catalog: Catalog, storage: Storage, clock: Clock) -> Nightly:
    """Return the chore: whom late events have marked is rebuilt once a night of the source."""

    def run(_command: str, args: dict[str, Any]) -> Summary:
        return rebuild_marked(settings, catalog, storage, clock, str(args["source"]))

    return Nightly(run, catalog, clock)


def rebuild_marked(
    settings: Settings, catalog: Catalog, storage: Storage, clock: Clock, source: str
) -> Summary:
    """Rebuild the marked visitors of a source.

    Raises ``RetryableError`` where workers, brokers or storage do not answer, or workers fold by
    another policy: what was right would become another's.
    """
    policy = policy_of(settings.policy)
    if catalog.source(source) is None:
        raise InvalidError(f"source {source!r} does not exist")
    sink = MarkingSink(storage, clock)
    addresses = marked(storage, source)
    if not addresses:
        return Summary(source, 0, {})
    with linked(settings) as link:
        if wrong := link.differs(policy):
            raise UnavailableError(wrong)  # while one is brought in, part after part
        now = LiveWorkers(link, clock).standing()
        rules = CatalogRules(catalog, policy)
        task = Task(source, rules, now.as_of_ms, now.version, now.live)
        summary = rebuild(
            storage, task, lambda table, lines: sink.insert(table, lines, ""), addresses
        )
    logging.get("loader").info(
        "nightly rebuild", source=source, marked=len(addresses), note=summary.note
    )
    return summary
