"""Sends items to the ingest API in batches, in order, and tells which lines were rejected."""

import time
from collections.abc import Callable, Iterable, Iterator

import httpx
import msgspec
from msgspec import Struct

from services.common.errors import InvalidError, UnavailableError
from services.formats.items import BadLine, Item

BATCH_ITEMS = 500
BATCH_BYTES = 400_000
PATIENCE_S = 60.0
"""How long an overloaded or absent server is waited for before giving up."""
LATER = frozenset({408, 429, 502, 503, 504})


class Refused(Struct, frozen=True):
    """One item of a request that was not taken."""

    index: int
    code: str
    field: str
    message: str


class Answer(Struct, frozen=True):
    """What the ingest API says of a request."""

    received: int
    accepted: int
    errors: list[Refused]


class Rejected(Struct, frozen=True):
    """A rejected line and why."""

    line: int
    message: str


class Sender:
    """One connection to an ingest API. ``next_line`` is where to go on after an interruption."""

    def __init__(
        self,
        client: httpx.Client,
        key: str,
        rate: int | None = None,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send with a write key, at most ``rate`` events a second where that is given."""
        self._patience_s = patience_s
        self._clock = clock
        self._wait = wait
        self._client = client
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-ndjson",
        }
        self._rate = rate
        self.accepted = 0
        self.next_line = 1

    def send(self, items: Iterable[Item | BadLine]) -> Iterator[Rejected]:
        """Send all items; yield what is rejected as it turns up.

        Raises ``UnavailableError`` where the server stays away, ``InvalidError`` where it refuses
        the whole request (a wrong key, a wrong address).
        """
        began, sent = self._clock(), 0
        for batch in _batches(items, min(BATCH_ITEMS, self._rate or BATCH_ITEMS)):
            taken = [one for one in batch if isinstance(one, Item)]
            yield from (
                Rejected(one.line, one.message) for one in batch if isinstance(one, BadLine)
            )
            yield from self._post(taken)
            sent += len(taken)
            self.next_line = batch[-1].line + 1
            if self._rate:
                self._wait(max(0.0, began + sent / self._rate - self._clock()))

    def _post(self, items: list[Item]) -> Iterator[Rejected]:
        if not items:
            return
        body = b"\n".join(msgspec.json.encode(one.item) for one in items)
        answer = msgspec.json.decode(self._answer(body), type=Answer)
        self.accepted += answer.accepted
        for error in answer.errors:
            at = f"{error.field}: " if error.field else ""
            yield Rejected(items[error.index].line, f"{at}{error.message} ({error.code})")

    def _answer(self, body: bytes) -> bytes:
        patient_until = self._clock() + self._patience_s
        while True:
            wait, trouble = 1.0, ""
            try:
                answer = self._client.post("/v1/events", content=body, headers=self._headers)
            except httpx.TransportError as error:
                trouble = str(error)
            else:
                if answer.status_code == httpx.codes.OK:
                    return answer.content
                trouble = f"{answer.status_code} {answer.text}"
                if answer.status_code not in LATER:
                    raise InvalidError(f"{self._client.base_url} answers {trouble}")
                wait = float(answer.headers.get("Retry-After", wait))
            if self._clock() + wait > patient_until:
                raise UnavailableError(f"{self._client.base_url}: {trouble}")
            self._wait(wait)


def _batches(items: Iterable[Item | BadLine], most: int) -> Iterator[list[Item | BadLine]]:
    batch: list[Item | BadLine] = []
    size = 0
    for one in items:
        weight = len(msgspec.json.encode(one.item)) if isinstance(one, Item) else 0
        if batch and (len(batch) == most or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += weight
    if batch:
        yield batch
