"""Logs hide secrets whoever writes them."""

import logging

from services.common.logging import STORAGE, Seldom, hide_secrets


def test_fields_that_name_a_secret_lose_their_value() -> None:
    line = hide_secrets(None, "info", {"event": "x", "Authorization": "Bearer k", "port": 1})
    assert line == {"event": "x", "Authorization": "(hidden)", "port": 1}


def test_a_library_that_repeats_itself_is_written_once_in_a_while() -> None:
    seldom = Seldom()

    def passes(name: str, text: str, at: float) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, ("x",), None)
        record.created = at
        return seldom.filter(record)

    assert passes("aiokafka.conn", "Unable to connect to %s", 100.0)
    assert not passes("aiokafka.conn", "Unable to connect to %s", 129.0)
    assert passes("aiokafka.conn", "Another message of %s", 129.0)
    assert passes("aiokafka.conn", "Unable to connect to %s", 130.0)
    assert [passes(STORAGE, "storage: %s", at) for at in (100.0, 101.0, 130.0)] == [
        True,
        False,
        True,
    ]
    assert all(passes("ingest", "ours", 130.0) for _ in range(3))
