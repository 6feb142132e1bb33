"""Bring a stopped folder to rest: nothing waits, and all that came of its log is in its storage.

Events wait for the grace before they are folded, and Kafka would give those a new append time. So
they are folded here, where they still have their own. Meanwhile the log's clock stands: links and
orders still on their way are appended at the time of the newest record, as if they had been carried
at once. One tick, the grace later, settles what is left; deadlines it lets fire lie before the
newest record, where the fold was about to be anyway.
"""

from schemas.event import TICK
from services.common.errors import RetryableError, UnavailableError
from services.common.ports import Outgoing, PartitionMeta
from services.standalone.parts import Parts


class StillClock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        """Stand at the epoch."""
        self._now_ms = 0

    def now_ms(self) -> int:
        """Return where it stands."""
        return self._now_ms

    def put(self, now_ms: int) -> None:
        """Have it stand elsewhere."""
        self._now_ms = now_ms


def drain(parts: Parts, clock: StillClock) -> PartitionMeta | None:
    """Fold and load all of the folder's log; return where its fold stands then.

    ``parts`` were opened with ``clock``, and their threads do not run. None for a folder whose log
    never had a record. Safe to repeat. Raises ``RetryableError`` where storage refuses.
    """
    if not parts.log.end():
        return None
    clock.put(parts.log.append_ms())
    _carry(parts)
    if _waits(parts):
        clock.put(parts.log.append_ms() + _grace_ms(parts))
        parts.log.append([Outgoing("", "", TICK)])
        _carry(parts)
    meta = parts.states.meta()
    if meta is None or meta.applied < parts.log.end():
        raise UnavailableError(f"{parts.folder.root}: its log cannot be folded to the end now")
    return meta


def _carry(parts: Parts) -> None:
    """Fold, carry and load until nothing is on its way; what was folded is stored."""
    engine = parts.engine
    while True:
        engine.catch_up()
        if not parts.states.waiting_forwards():
            break
        engine.forwarder.turn()
        if engine.forwarder.trouble:
            raise RetryableError(engine.forwarder.trouble)
    if not engine.sessionizer.flush():
        raise RetryableError(engine.sessionizer.trouble)
    # A commit that only moves the clock may wait while the process runs; here it ends.
    parts.states.commit(engine.fold.take())
    engine.fold.committed()


def _waits(parts: Parts) -> bool:
    return parts.engine.fold.applied < parts.log.end()


def _grace_ms(parts: Parts) -> int:
    """Return the longest grace of any source."""
    names = [source.name for source in parts.catalog.sources()]
    return max(parts.rules(name).policy.time.grace_ms for name in ["", *names])
