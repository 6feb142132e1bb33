"""Logs hide secrets whoever writes them."""

from services.common.logging import hide_secrets


def test_fields_that_name_a_secret_lose_their_value() -> None:
    line = hide_secrets(None, "info", {"event": "x", "Authorization": "Bearer k", "port": 1})
    assert line == {"event": "x", "Authorization": "(hidden)", "port": 1}
