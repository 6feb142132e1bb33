"""The ports in memory; ``tests/ports`` holds them to the behaviour of the real ones."""

from collections.abc import Iterator, Sequence

import msgspec

from schemas.rows import DeadLetter
from services.common.errors import UnavailableError
from services.common.ports import Changes, Clock, LogRecord, Outgoing, PartitionMeta


class MemoryLog:
    """``SqliteLog``'s ports in memory: one record a publish. ``refuse`` plays a full disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._append_ms = 0
        self._end = 0
        self.records: list[LogRecord] = []
        self.letters: dict[str, DeadLetter] = {}
        self.refuse = False

    async def publish(self, items: Sequence[Outgoing]) -> int:
        self._check()
        return self.append_body(b"\n".join(item.line for item in items))

    def append_body(self, body: bytes) -> int:
        self._append_ms = max(self._append_ms, self._clock.now_ms())
        self._end += 1
        self.records.append(LogRecord(self._end, self._append_ms, body))
        return self._append_ms

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        self._check()
        for letter in letters:
            self.letters.setdefault(letter.id, letter)

    def read(self, after: int, limit_bytes: int) -> list[LogRecord]:
        found: list[LogRecord] = []
        for record in self.records:
            if record.offset > after:
                found.append(record)
                if sum(len(one.body) for one in found) >= limit_bytes:
                    break
        return found

    def trim(self, up_to: int) -> int:
        kept = [one for one in self.records if one.offset > up_to or one.offset == self._end]
        gone = len(self.records) - len(kept)
        self.records = kept
        return gone

    def end(self) -> int:
        return self._end

    def _check(self) -> None:
        if self.refuse:
            raise UnavailableError("the log is full")


class MemoryStates:
    """``SqliteStates`` in memory: ``kept`` now; ``rows`` and ``forwards`` are all that came."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.rows: dict[str, list[bytes]] = {}
        self.forwards: list[Outgoing] = []
        self._meta: PartitionMeta | None = None

    def meta(self) -> PartitionMeta | None:
        return self._meta

    def get(self, key: bytes) -> bytes | None:
        return self.kept.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        yield from list(self.kept.items())

    def commit(self, changes: Changes) -> None:
        for key, value in changes.states.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        for table, lines in changes.rows.items():
            self.rows.setdefault(table, []).extend(lines)
        self.forwards.extend(changes.forwards)
        self._meta = changes.meta


class MemorySink:
    """``Sink``: rows by table, newest version of an id where a row has one."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, object]]] = {}
        self._tokens: set[tuple[str, str]] = set()
        self.refuse = False

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        if self.refuse:
            raise UnavailableError("storage does not answer")
        if (table, token) in self._tokens:
            return
        self._tokens.add((table, token))
        rows = [msgspec.json.decode(line, type=dict[str, object]) for line in lines]
        self.tables.setdefault(table, []).extend(rows)
