"""The state file, written anew while commits go on: nothing is lost, nothing old is left."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from services.common.errors import UnavailableError
from services.common.ports import Changes, Outgoing, PartitionMeta
from services.standalone.state_store import SqliteStates

GONE = b"the-one-who-leaves" * 400
KEYS = [f"shop\x1fv{number}".encode() for number in range(100)]


@pytest.fixture
def states(tmp_path: Path) -> Iterator[SqliteStates]:
    opened = SqliteStates(tmp_path / "state.db")
    yield opened
    opened.close()


def commit(states: SqliteStates, applied: int, changed: Mapping[bytes, bytes | None]) -> None:
    forwards = [Outgoing("shop", "v", b"line-%d" % applied)]
    rows = {"sessions": [b'{"n":%d}' % applied]}
    states.commit(Changes(PartitionMeta(applied), dict(changed), rows, forwards))


def test_what_was_stored_meanwhile_goes_along_and_what_was_deleted_is_in_no_file(
    states: SqliteStates, tmp_path: Path
) -> None:
    commit(states, 1, dict.fromkeys(KEYS, b"old") | {b"shop\x1fgone": GONE})
    commit(states, 2, {b"shop\x1fgone": None})
    states.arrived(2, 2)
    fresh = states.write_anew()
    commit(states, 3, {KEYS[0]: b"new", KEYS[1]: None, b"shop\x1fcame": b"new"})
    states.go_on_in(fresh, {KEYS[0], KEYS[1], b"shop\x1fcame"})
    commit(states, 4, {KEYS[2]: b"new"})
    expected = dict.fromkeys(KEYS, b"old")
    expected |= {KEYS[0]: b"new", KEYS[2]: b"new", b"shop\x1fcame": b"new"}
    del expected[KEYS[1]]
    assert dict(states.items()) == expected
    meta = states.meta()
    assert meta is not None
    assert meta.applied == 4
    assert states.loaded() == 2
    assert [bundle.seq for bundle in states.rows(0, 10)] == [3, 4], "no number is used twice"
    assert [item.line for item in states.forwards(9)[1]] == [b"line-%d" % n for n in (1, 2, 3, 4)]
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert not any(GONE[:18] in path.read_bytes() for path in files)
    assert not [path for path in files if path.name.startswith("state.new")]


def test_a_file_that_somebody_reads_is_kept(states: SqliteStates) -> None:
    commit(states, 1, dict.fromkeys(KEYS, b"old"))
    fresh = states.write_anew()
    reading = states.items()
    next(reading)
    commit(states, 2, {KEYS[0]: b"new"})
    with pytest.raises(UnavailableError, match="is being read"):
        states.go_on_in(fresh, {KEYS[0]})
    assert len(list(reading)) == len(KEYS) - 1
    assert states.get(KEYS[0]) == b"new"
    states.go_on_in(states.write_anew(), set())
    assert states.get(KEYS[0]) == b"new"


def test_a_copy_that_a_crash_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    for name in ("state.new", "state.new-wal"):
        (tmp_path / name).write_bytes(GONE)
    SqliteStates(tmp_path / "state.db").close()
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
