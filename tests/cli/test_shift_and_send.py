"""What ``replay`` does to times, and how it speaks with a server that has moods."""

from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from services.cli.send import BATCH_ITEMS, Rejected, Sender
from services.cli.shift import shift_ms, shifted
from services.common.errors import InvalidError, UnavailableError
from services.formats.items import BadLine, Item

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
BAD = BadLine(3, "ts_ms", "wrong", b"{")


def at(line: int, **item: object) -> Item:
    return Item(line, item)


def test_the_latest_event_becomes_now_and_distances_stay() -> None:
    items: list[Item | BadLine] = [
        at(1, ts_ms=5_000),
        at(2, timestamp="1970-01-01T00:00:09Z"),
        BAD,
        at(4, type="x"),
    ]
    by_ms = shift_ms(items, NOW_MS)
    assert by_ms == NOW_MS - 9_000
    moved = list(shifted(items, by_ms))
    assert moved[0] == at(1, ts_ms=NOW_MS - 4_000)
    assert moved[1] == at(2, ts_ms=NOW_MS)
    assert moved[2:] == items[2:], "what has no time is left to be refused"


def test_a_file_longer_than_the_live_api_takes_is_history() -> None:
    items = [at(1, ts_ms=0), at(2, ts_ms=72 * HOUR_MS + 1)]
    with pytest.raises(InvalidError, match="use `waymark import`"):
        shift_ms(items, NOW_MS)
    assert shift_ms([at(1, ts_ms=0), at(2, ts_ms=72 * HOUR_MS)], NOW_MS) == NOW_MS - 72 * HOUR_MS


def test_a_file_without_a_time_cannot_be_shifted() -> None:
    with pytest.raises(InvalidError, match="no line of the file has a time"):
        shift_ms([at(1, type="page_view"), BAD], NOW_MS)


def server(answers: list[httpx.Response | httpx.TransportError]) -> tuple[httpx.Client, list[Any]]:
    """Return a client whose server gives these answers, then takes all; and what it was sent."""
    seen: list[Any] = []
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        found = next(waiting, None)
        if isinstance(found, httpx.TransportError):
            raise found
        if found is not None:
            return found
        items = request.content.split(b"\n")
        seen.append([msgspec.json.decode(line) for line in items])
        n = len(seen[-1])
        return httpx.Response(200, json={"received": n, "accepted": n, "errors": []})

    return httpx.Client(base_url="http://shop", transport=httpx.MockTransport(answer)), seen


def test_batches_are_sent_in_order_and_the_next_line_is_known() -> None:
    client, seen = server([])
    sender = Sender(client, "key")
    items = [at(n, n=n) for n in range(1, BATCH_ITEMS + 11)]
    assert list(sender.send(items)) == []
    assert [len(batch) for batch in seen] == [BATCH_ITEMS, 10]
    assert [item["n"] for batch in seen for item in batch] == list(range(1, BATCH_ITEMS + 11))
    assert (sender.accepted, sender.next_line) == (BATCH_ITEMS + 10, BATCH_ITEMS + 11)


def test_an_overloaded_or_absent_server_is_asked_again() -> None:
    later = httpx.Response(429, headers={"Retry-After": "0"}, text="busy")
    client, seen = server([later, httpx.Response(503, headers={"Retry-After": "0"}), later])
    sender = Sender(client, "key")
    assert list(sender.send([at(1, n=1)])) == []
    assert seen == [[{"n": 1}]]


def test_refused_items_and_unreadable_lines_are_told_by_their_line() -> None:
    error = {"index": 1, "code": "invalid_field", "field": "type", "message": "type is 7"}
    answer = httpx.Response(200, json={"received": 2, "accepted": 1, "errors": [error]})
    client, _ = server([answer])
    sender = Sender(client, "key")
    rejected = list(sender.send([at(1, n=1), BAD, at(4, n=4)]))
    assert rejected == [Rejected(3, "wrong"), Rejected(4, "type: type is 7 (invalid_field)")]
    assert (sender.accepted, sender.next_line) == (1, 5)


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_a_whole_request_refused_is_told_at_once(status: int) -> None:
    client, seen = server([httpx.Response(status, text="no")])
    with pytest.raises(InvalidError, match=f"answers {status} no"):
        list(Sender(client, "key").send([at(1, n=1)]))
    assert seen == []


def test_a_rate_is_kept() -> None:
    waited: list[float] = []
    client, _ = server([])
    clock: Callable[[], float] = lambda: sum(waited)  # noqa: E731 - time passes by waiting alone
    sender = Sender(client, "key", rate=100, clock=clock, wait=waited.append)
    list(sender.send(at(n, n=n) for n in range(1, 1_001)))
    assert sum(waited) == pytest.approx(10.0)


def test_patience_ends_with_the_trouble_named() -> None:
    waited: list[float] = []
    client, _ = server([httpx.ConnectError("refused")] * 20)
    sender = Sender(client, "key", patience_s=10, clock=lambda: sum(waited), wait=waited.append)
    with pytest.raises(UnavailableError, match="refused"):
        list(sender.send([at(1, n=1)]))
    assert sum(waited) == 10
