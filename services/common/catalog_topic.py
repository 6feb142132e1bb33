"""The catalog of a distributed installation: rows of a compacted topic, held in memory.

Nothing is kept on this machine's disk: a destroyed salt is gone with its record. A record's key
tells its kind (``pepper``, ``mark/…``, ``source/…``, ``secret/…``, ``salt/DAY``), a tombstone takes
it away. Whoever may write to the topic may do anything, whoever may read it knows the pepper: give
both to Waymark alone.

Salts are made ahead and destroyed by whoever is a *keeper*, which each ingest is. None is destroyed
before its time by the brokers' clock too, whatever the keeper's own says: a beat asks for that.
Brokers forget a destroyed salt when they compact the segment it is in, and only a closed segment:
so a keeper appends a beat a while after the last change.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable

import msgspec
from aiokafka import ConsumerRecord
from msgspec import Struct

from schemas.spans import DAY_MS, HOUR_MS
from services.common.catalog import Catalog
from services.common.catalog_link import OPEN_SECONDS, WRITE_SECONDS, CatalogLink, Changes
from services.common.errors import UnavailableError
from services.common.ports import Clock
from services.common.settings import Settings
from services.common.topics import SEGMENT_MS

AHEAD_MS = HOUR_MS
"""Tomorrow's salt is made so long before midnight, so that every ingest has it in time."""
ASK_SECONDS = 60.0
"""A keeper that knows of a salt to destroy asks for the brokers' time at most this often."""
BEAT = "beat"
PEPPER = "pepper"


def open_catalog(settings: Settings, clock: Clock, *, keeper: bool = False) -> Catalog:
    """Return the catalog of the settings' topic, read to its end; closing it ends its thread.

    A ``keeper`` makes and destroys the daily salts, which only ingest needs. Raises
    ``UnavailableError`` where Kafka does not answer, ``InvalidError`` where the topic is wrong.
    """
    store = TopicStore(settings, clock, keeper=keeper)
    store.open()
    try:
        made = Catalog(store, clock, settings.write_keys, settings.read_tokens)
    except BaseException:
        store.close()
        raise
    store.started()
    return made


class _Secret(Struct, frozen=True):
    """One key or token. ``place`` orders them by age, since compaction does not."""

    role: str
    digest: bytes
    body: bytes
    place: int
    revoked_ms: int | None = None


class TopicStore:
    """The ``CatalogStore`` of a topic; safe to use from several threads."""

    def __init__(
        self, settings: Settings, clock: Clock, *, keeper: bool, roll_ms: int = SEGMENT_MS
    ) -> None:
        """Describe it; ``roll_ms`` is how old a segment gets before the next record closes it."""
        self._clock = clock
        self._roll_ms = roll_ms
        self._lock = threading.Lock()
        self._rows: dict[str, bytes] = {}
        self._changes = 0
        self._last: tuple[str, int] = (BEAT, 0)
        self._log_ms = 0
        self._asked_at = float("-inf")
        self._link = CatalogLink(settings, self._apply, self._keep if keeper else None)
        self._seconds = OPEN_SECONDS

    def open(self) -> None:
        """Follow the topic; the first part of an installation makes its pepper.

        Parts that start together on new brokers write one after the other, each with patience.
        """
        self._link.open()
        if PEPPER not in self._rows:
            self._write(self._pepper)

    def started(self) -> None:
        """From now on someone waits for each change: be short with them."""
        self._seconds = WRITE_SECONDS

    def close(self) -> None:
        """End the thread that follows."""
        self._link.close()

    def _apply(self, record: ConsumerRecord) -> None:
        key = record.key.decode()
        with self._lock:
            self._last = (key, record.timestamp)
            self._log_ms = max(self._log_ms, record.timestamp)
            if key == BEAT:
                return
            self._changes += 1
            if record.value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = record.value

    def _write(self, make: Callable[[], Changes]) -> None:
        self._link.write(make, self._seconds)

    def _under(self, kind: str) -> dict[str, bytes]:
        """Return the rows of a kind by the rest of their key."""
        with self._lock:
            rows = [(key, value) for key, value in self._rows.items() if key.startswith(kind)]
        return {key.removeprefix(kind): value for key, value in sorted(rows)}

    # -- the store

    def digest(self, secret: str | bytes) -> bytes:
        """Return the secret as it is kept: useless without the installation's pepper."""
        raw = secret.encode() if isinstance(secret, str) else secret
        return hashlib.blake2b(raw, key=self._rows[PEPPER], digest_size=32).digest()

    def changes(self) -> int:
        """Return a number that moves with every record."""
        return self._changes

    def marked(self, name: str) -> bool:
        """Tell whether a fact has been noted."""
        return f"mark/{name}" in self._rows

    def mark(self, name: str) -> None:
        """Note a fact."""
        self._write(lambda: {f"mark/{name}": b"1"})

    def sources(self) -> list[bytes]:
        """Return every source's body, by name."""
        return list(self._under("source/").values())

    def put_source(self, name: str, body: bytes) -> None:
        """Make or replace a source."""
        self._write(lambda: {f"source/{name}": body})

    def secrets(self, role: str) -> list[tuple[bytes, bytes, int | None]]:
        """Return digest, body and time of revocation of each key or token, oldest first."""
        found = [one for one in self._secrets().values() if one.role == role]
        found.sort(key=lambda one: one.place)
        return [(one.digest, one.body, one.revoked_ms) for one in found]

    def _secrets(self) -> dict[str, _Secret]:
        rows = self._under("secret/")
        return {key: msgspec.msgpack.decode(value, type=_Secret) for key, value in rows.items()}

    def put_secret(self, role: str, secret_id: str, digest: bytes, body: bytes) -> None:
        """Keep a new key or token."""

        def make() -> Changes:
            place = max([one.place for one in self._secrets().values()], default=0) + 1
            made = _Secret(role, digest, body, place)
            return {f"secret/{secret_id}": msgspec.msgpack.encode(made)}

        self._write(make)

    def revoke(self, role: str, secret_id: str, at_ms: int) -> bool:
        """Make a key or token useless; tell whether there is one. Repeating keeps the time."""

        def make() -> Changes:
            found = self._secrets().get(secret_id)
            if found is None or found.role != role or found.revoked_ms is not None:
                return {}
            revoked = msgspec.structs.replace(found, revoked_ms=at_ms)
            return {f"secret/{secret_id}": msgspec.msgpack.encode(revoked)}

        self._write(make)
        found = self._secrets().get(secret_id)
        return found is not None and found.role == role

    def salts(self, day: int) -> dict[int, bytes]:
        """Return the salts of the day and, where it is kept, the one before.

        Raises ``UnavailableError`` where no keeper has made the day's yet.
        """
        found = self._salts()
        if day not in found:
            raise UnavailableError(
                f"the salt of day {day} is not made yet: no ingest has run on that day, "
                "or Kafka was away"
            )
        return {kept: salt for kept, salt in found.items() if day - 1 <= kept <= day}

    def _salts(self) -> dict[int, bytes]:
        return {int(day): salt for day, salt in self._under("salt/").items()}

    # -- what a keeper does

    async def _keep(self) -> None:
        for make in (self._due_salts, self._due_beat):
            if make():
                await self._link.write_here(make)
        if self._due_ask() and time.monotonic() - self._asked_at > ASK_SECONDS:
            self._asked_at = time.monotonic()
            await self._link.write_here(self._due_ask)

    def _due_salts(self) -> Changes:
        """Return today's salt, and soon tomorrow's, where missing; and the end of older ones."""
        now_ms, found = self._clock.now_ms(), self._salts()
        days = {now_ms // DAY_MS, (now_ms + AHEAD_MS) // DAY_MS}
        made: dict[str, bytes | None] = {
            f"salt/{day}": secrets.token_bytes(16) for day in days if day not in found
        }
        return made | {f"salt/{day}": None for day in self._over(min(now_ms, self._log_ms))}

    def _over(self, now_ms: int) -> list[int]:
        """Return the days before yesterday whose salts are still there."""
        return [day for day in self._salts() if day < now_ms // DAY_MS - 1]

    def _due_ask(self) -> Changes:
        """Return a beat where only the brokers' time is wanting to destroy a salt."""
        now_ms = self._clock.now_ms()
        known = self._over(min(now_ms, self._log_ms))
        return {BEAT: b"1"} if len(self._over(now_ms)) > len(known) else {}

    def _due_beat(self) -> Changes:
        """Return a beat where the last change is old enough for it to close the segment."""
        key, at_ms = self._last
        due = key != BEAT and self._clock.now_ms() - at_ms > self._roll_ms
        return {BEAT: b"1"} if due else {}

    def _pepper(self) -> Changes:
        return {} if PEPPER in self._rows else {PEPPER: secrets.token_bytes(32)}
