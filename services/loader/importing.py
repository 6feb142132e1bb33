"""The mark of an import under way, by which retention knows that events are not folded yet.

An import stores a history whole before it folds it, and history is older than raw events are kept.
Whoever is killed in between leaves a mark that counts for a day after its last sign of life; then
the events go, and the import, which was not finished, is made again.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from services.common.errors import RetryableError
from services.common.ports import Storage

RENEW_SECONDS = 600.0


@contextmanager
def importing(storage: Storage, source: str) -> Iterator[Callable[[], None]]:
    """Mark an import of a source for a block; call what is yielded as the work goes on."""
    name = str(uuid.uuid4())
    _mark(storage, source, name)
    marked_at = time.monotonic()

    def alive() -> None:
        nonlocal marked_at
        if time.monotonic() - marked_at >= RENEW_SECONDS:
            _mark(storage, source, name)
            marked_at = time.monotonic()

    try:
        yield alive
    finally:
        with suppress(RetryableError):  # storage is away: the mark ends by itself
            _mark(storage, source, name, deleted=True)


def _mark(storage: Storage, source: str, name: str, *, deleted: bool = False) -> None:
    row = {"source": source, "id": name, "deleted": deleted}
    storage.insert("imports", [msgspec.json.encode(row)], "")
