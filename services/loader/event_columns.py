"""Rows of the table ``events`` as columns: what reading the log makes, and storage reads fastest.

A row costs a quarter of what making and reading a JSON line costs. The columns are those of
``event_rows.EventRow``; one in which no row has anything is left out. Events are read strictly, and
only what an ``Event`` has becomes a column, so a foreign producer sets neither a version nor
whether a row is deleted.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, overload

import msgspec
import pyarrow as pa
from msgspec import Struct, field

from schemas.event import Event, Product, address_of
from services.common.columns import Columns
from services.common.errors import InvalidError
from services.common.ports import LogRecord
from services.loader.event_lines import lines_of, plain, read
from services.loader.event_rows import FIRST, LAST_PLACE, is_row, no_later, row_of

Values = Sequence[Any]
Filled = Callable[[Values], bool]

_encode = msgspec.json.Encoder().encode

CHUNK = 1_024
"""Rows kept as events before they are packed into columns, which take a fifth of the memory. So
many fit into a processor's cache, in which column after column is read off them."""

INT64 = 1 << 63
TEXTS = (
    "source", "event_id", "type", "visitor_id", "user_id", "name", "origin", "path", "page_kind",
    "channel", "element", "cart_id", "order_id", "currency", "device", "browser", "os", "country",
)  # fmt: skip
TIMES = ("ts_ms", "received_ms")
FLAGS = ("bot", "test", "excluded")
NUMBERS = {"x": float, "y": float, "scroll_depth": float, "value": int}
PARTS = {
    "survey": {"survey_kind": "kind", "survey_id": "survey_id", "survey_score": "score"},
    "perf": {name: name for name in ("lcp_ms", "inp_ms", "cls", "ttfb_ms", "load_ms")},
}
"""Columns out of an event's parts: the part, and by column the part's field."""
READ = (*TIMES, *TEXTS, *FLAGS, *NUMBERS, "products", *PARTS)
_read_off = attrgetter(*READ)
"""All that columns need of an event, at once: it is far in memory from the next."""


class Fresh(Struct):
    """Events that are not packed yet, and of each its line, append time and version."""

    events: list[Event] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)


class EventRows(Columns):
    """Grows by records of the log; ``size`` is about how many bytes it holds."""

    def __init__(self) -> None:
        """Start empty."""
        self._fresh = Fresh()
        self._chunks: list[pa.RecordBatch] = []
        self._packed = 0
        self._odd: list[bytes] = []
        self.size = 0

    def add(self, record: LogRecord) -> None:
        """Take a record's events; lines that are no canonical events are passed over.

        (The fold hands those to the dead letters; here they would only be told twice.)
        """
        append_ms, fresh = record.append_ms, self._fresh
        first = FIRST - (append_ms << 20)
        lines = lines_of(record.body)
        events = plain(record, lines)
        if events:
            fresh.events += events
            fresh.bodies += lines
            fresh.stamps += [append_ms] * len(lines)
            fresh.versions += range(first, first - len(lines), -1)
        else:
            self._add_each(record, lines)
        self.size += len(record.body)
        if len(fresh.events) >= CHUNK:
            self._pack()

    def _add_each(self, record: LogRecord, lines: Sequence[str]) -> None:
        """Take lines one by one: some are no rows, or are later than they came."""
        append_ms, fresh = record.append_ms, self._fresh
        first = FIRST - (append_ms << 20)
        for place, line in enumerate(lines):
            event = read(line)
            if event is None or not is_row(event):
                continue
            body = line
            if event.ts_ms > append_ms:
                event = no_later(event, append_ms)
                body = _encode(event).decode()
            fresh.events.append(event)
            fresh.bodies.append(body)
            fresh.stamps.append(append_ms)
            fresh.versions.append(first - min(place, LAST_PLACE))

    def arrow(self) -> bytes:
        """Return the rows as one Arrow stream; ``InvalidError`` where a value does not fit it."""
        self._pack()
        if self._odd:
            raise InvalidError(f"{len(self._odd)} events have a number that is too large")
        tables = [pa.Table.from_batches([chunk]) for chunk in self._chunks]
        table = pa.concat_tables(tables, promote_options="default").combine_chunks()
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return bytes(stream.getvalue().to_pybytes())

    def times_before(self, than_ms: int) -> dict[str, set[int]]:
        """Return by source the times (epoch ms) of rows that are earlier."""
        self._pack()
        found: dict[str, set[int]] = {}
        for chunk in self._chunks:
            times = chunk.column("ts_ms").to_pylist()
            if min(times) < than_ms:
                for source, at in zip(_texts(chunk, "source"), times, strict=True):
                    if at < than_ms:
                        found.setdefault(source, set()).add(at)
        return found

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._packed + len(self._fresh.events) + len(self._odd)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the rows as JSON lines."""
        self._pack()
        for chunk in self._chunks:
            for row in chunk.to_pylist():
                yield _encode({name: value for name, value in row.items() if value is not None})
        yield from self._odd

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        """Return rows as JSON lines."""
        return list(self)[place]

    def _pack(self) -> None:
        fresh, self._fresh = self._fresh, Fresh()
        if not all(map(_fits, fresh.events)):
            fresh, odd = _parted(fresh)
            self._odd.extend(odd)
        if fresh.events:
            self._chunks.append(_chunk(fresh))
            self._packed += len(fresh.events)


def _fits(event: Event) -> bool:
    """Tell whether a row's integers are ones that storage can hold; lines may have any."""
    value = event.value
    return (
        event.ts_ms > -INT64
        and -INT64 < event.received_ms < INT64
        and (value is None or -INT64 < value < INT64)
    )


def _parted(fresh: Fresh) -> tuple[Fresh, list[bytes]]:
    """Return what fits, and the rest as JSON lines, which storage judges one by one."""
    fit, odd = Fresh(), []
    every = zip(fresh.events, fresh.bodies, fresh.stamps, fresh.versions, strict=True)
    for event, body, stamp, version in every:
        if _fits(event):
            fit.events.append(event)
            fit.bodies.append(body)
            fit.stamps.append(stamp)
            fit.versions.append(version)
        else:
            odd.append(row_of(event, stamp, FIRST - (stamp << 20) - version, body.encode()))
    return fit, odd


def _chunk(fresh: Fresh) -> pa.RecordBatch:
    events = fresh.events
    values = dict(zip(READ, zip(*map(_read_off, events), strict=True), strict=True))
    visitors = values["visitor_id"]
    columns = {
        "body": pa.array(fresh.bodies, type=pa.string()),
        "append_ms": pa.array(fresh.stamps, type=pa.int64()),
        "version": pa.array(fresh.versions, type=pa.uint64()),
        "address": pa.array(
            visitors if all(visitors) else map(address_of, events), type=pa.string()
        ),
    }
    for name in TIMES:
        columns[name] = pa.array(values[name], type=pa.int64())
    for name in TEXTS:
        _put(columns, name, values[name], any, pa.string())
    for name in FLAGS:
        _put(columns, name, values[name], any, pa.bool_())
    for name, kind in NUMBERS.items():
        _put(columns, name, values[name], _some, pa.int64() if kind is int else pa.float64())
    _put_products(columns, values["products"])
    for part, fields in PARTS.items():
        _put_part(columns, values[part], fields)
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _put(
    columns: dict[str, Any], name: str, values: Values, filled: Filled, kind: pa.DataType
) -> None:
    """Add a column in which there is anything."""
    if filled(values):
        columns[name] = pa.array(values, type=kind)


def _some(values: Values) -> bool:
    return values.count(None) < len(values)


def _put_products(columns: dict[str, Any], found: Sequence[Sequence[Product] | None]) -> None:
    filled = list(filter(None, found))
    if not filled:
        return
    ids = [[one.product_id for one in some] if some else () for some in found]
    columns["product_ids"] = pa.array(ids, type=pa.list_(pa.string()))
    if any(one.category for some in filled for one in some):
        first = [next((one.category for one in some or () if one.category), "") for some in found]
        columns["category"] = pa.array(first, type=pa.string())


def _put_part(columns: dict[str, Any], found: Values, fields: dict[str, str]) -> None:
    if not _some(found):
        return
    for name, of_part in fields.items():
        values = [None if one is None else getattr(one, of_part) for one in found]
        text = of_part in {"kind", "survey_id"}
        _put(columns, name, values, _some, pa.string() if text else pa.float64())


def _texts(chunk: pa.RecordBatch, name: str) -> list[str]:
    """Return a column of texts, which is left out where all are empty."""
    known = name in chunk.schema.names
    return list(chunk.column(name).to_pylist()) if known else [""] * len(chunk)
