"""When events settle, in which order they are folded, and what counts as a repeat or as late."""

from tests.core.streams import HOUR, MINUTE, SECOND, Stream, event


def test_nothing_is_folded_before_the_grace_is_over() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.tick(29_999)
    assert stream.states == {}
    stream.tick(30_000)
    assert list(stream.states) == [b"shop\x1fv"]


def test_a_waiting_event_that_sorts_before_a_settling_one_is_folded_with_it() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000, path="/b"))
    stream.send(35_000, event("page_view", 9_000, path="/a"))
    stream.tick(40_000)
    stream.quiet(41_000, 40 * MINUTE)
    assert stream.flags() == []
    assert [page["path"] for page in stream.sessions()[0]["pages"]] == ["/a", "/b"]
    assert len(stream.sessions()) == 1
