"""Storage over ClickHouse: one client library, embedded (``chdb://``) or a server (``http(s)://``).

A client of the library runs one statement at a time, so each call borrows one from a small pool;
threads may share a ``ClickHouse`` freely. Nothing here decides a number.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import clickhouse_connect
import msgspec

from services.common.clickhouse_address import Address, address_of, options
from services.common.clickhouse_errors import named_errors, opening
from services.common.columns import Columns

POOL = 4
READ_BYTES = 1 << 20

SETTINGS: dict[str, Any] = {
    # A version never leaves its partition, so the newest need not be looked for across them.
    "do_not_merge_across_partitions_select_final": 1,
    # Versions do not change what a skip index covers (visitor, user).
    "use_skip_indexes_if_final": 1,
    # An import may bring ten years at once.
    "max_partitions_per_insert_block": 0,
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    "output_format_json_quote_64bit_integers": 0,
}

HTTP: dict[str, Any] = {
    # Statements of several threads share no session.
    "autogenerate_session_id": False,
    # The edges of many buckets do not fit into a URL.
    "form_encode_query_params": True,
    "connect_timeout": 5,
    # Longer than any statement of ours; who asks in a hurry says so (``seconds``).
    "send_receive_timeout": 120,
}
READ_SECONDS = 35
"""For a question of the metrics API: a little more than the server itself gives it."""
INSERT_SECONDS = 30
"""For a batch of rows: it takes a second or two, and a repeat is harmless."""

EMBEDDED: dict[str, Any] = {
    # Cutting a block up for several threads to read costs more than reading it, and the threads
    # share the processors with everything else of this process: 10 µs of them a row, not 17.
    "input_format_parallel_parsing": 0,
}

CLUSTER: dict[str, Any] = {
    # Shards are asked for the inner part of a question once, and told its outcome.
    "distributed_product_mode": "global",
    # An insert is answered when every shard has it.
    "distributed_foreground_insert": 1,
    # What was just written is read from where it was written, while that replica lives.
    "load_balancing": "in_order",
}

READ_LIMITS: dict[str, Any] = {
    "max_execution_time": 30,
    "max_rows_to_read": 1_000_000_000,
    "max_result_rows": 1_000_000,
    "max_memory_usage": 8 << 30,
}
"""What one question of the metrics API may cost a server; beyond it the caller is told."""

_decoder = msgspec.json.Decoder(dict[str, Any])


def decoded(raw: bytes) -> list[dict[str, Any]]:
    """Return the rows of an answer in ``JSONEachRow``, by column name."""
    return _decoder.decode_lines(raw)


class ClickHouse:
    """The ``Storage`` port on ClickHouse. Raises ``UnavailableError`` where trying later helps."""

    def __init__(
        self,
        address: Address,
        settings: Mapping[str, Any] | None = None,
        pool: int = POOL,
        cluster: str = "",
        seconds: int | None = None,
    ) -> None:
        self.database = address.database
        self.cluster = cluster
        self._address = address
        embedded = EMBEDDED if address.embedded else {}
        self._settings = {**SETTINGS, **embedded, **(settings or {})}
        self._pool = pool
        self._seconds = seconds
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._made = 0
        self._lock = threading.Lock()
        self._closed = False

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        """Insert JSON rows; a repeat with the same token within the process changes nothing."""
        if not lines:
            return
        if isinstance(lines, Columns):
            fmt, block = "ArrowStream", lines.arrow()
        else:
            fmt, block = "JSONEachRow", b"\n".join(lines)
        with self._client() as client, named_errors(f"insert into {table}"):
            client.raw_insert(
                table,
                insert_block=block,
                fmt=fmt,
                settings={"insert_deduplication_token": token} if token else None,
            )

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name (UUID as text, NaN as None)."""
        with self._client() as client, named_errors(sql):
            raw = client.raw_query(sql, parameters=parameters, fmt="JSONEachRow")
        return decoded(raw)

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[bytes]:
        """Run one statement and yield its rows as JSON lines, without holding them all."""
        with self._client() as client, named_errors(sql):
            source = client.raw_stream(sql, parameters=parameters, fmt="JSONEachRow")
            with contextlib.closing(source):
                yield from _lines(source)

    def command(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        """Run a statement that returns nothing."""
        with self._client() as client, named_errors(sql):
            # Not the library's command(): over HTTP it puts parameters into the URL, and the many
            # edges of a seal do not fit there.
            client.raw_query(sql, parameters=parameters)

    def close(self) -> None:
        """Close the idle connections; borrowed ones close when they come back."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        client = self._borrow()
        try:
            yield client
        finally:
            if self._closed:
                client.close()
            else:
                self._idle.put(client)

    def _borrow(self) -> Any:
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait()
        with self._lock:
            if self._made < self._pool:
                client = _connect(self._address, self._settings, self._seconds)
                self._made += 1
                return client
        return self._idle.get()


def open_storage(
    dsn: str,
    database: str = "",
    *,
    create: bool = True,
    settings: Mapping[str, Any] | None = None,
    pool: int = POOL,
    cluster: str = "",
    seconds: int | None = None,
) -> ClickHouse:
    """Open the store at ``chdb:///path`` or ``http(s)://user:password@host:8123/db``.

    ``database`` wins over the address's own (``?database=`` for chdb), which wins over
    ``waymark``; it is created where missing, unless the user may not (``create``). ``settings``
    go with every statement; ``cluster`` names the one its tables are spread over; a server that
    is silent for ``seconds`` does not answer. Raises ``UnavailableError`` where the engine or the
    server does not answer, ``InvalidError`` for an address of another kind.
    """
    address = address_of(dsn, database)
    if create:
        _create(address, cluster)
    spread = CLUSTER if cluster else {}
    return ClickHouse(address, {**spread, **(settings or {})}, pool, cluster, seconds)


def _create(address: Address, cluster: str) -> None:
    first = _connect(msgspec.structs.replace(address, database="default"), SETTINGS)
    try:
        with named_errors(f"create database {address.database}"):
            everywhere = f" ON CLUSTER '{cluster}'" if cluster else ""
            first.command(f"CREATE DATABASE IF NOT EXISTS {address.database}{everywhere}")
    finally:
        first.close()


def patient(seconds: int | None) -> dict[str, Any]:
    """Return how a server is asked by whoever waits for so long at most."""
    return HTTP if seconds is None else {**HTTP, "send_receive_timeout": seconds}


def _connect(address: Address, settings: Mapping[str, Any], seconds: int | None = None) -> Any:
    with opening(address):
        return clickhouse_connect.get_client(
            **options(address, patient(seconds)), database=address.database, settings=dict(settings)
        )


def _lines(source: Any) -> Iterator[bytes]:
    rest = b""
    while chunk := source.read(READ_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
