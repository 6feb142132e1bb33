"""Output for people and scripts."""

import pytest

from services.cli import say


def test_rows_are_aligned_and_absent_values_are_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    say.table([{"name": "shop", "hosts": ["a", "b"], "zone": ""}], json=False, empty="none")
    assert capsys.readouterr().out == "name  hosts  zone\nshop  a,b    -\n"


def test_no_rows_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    say.table([], json=False, empty="no keys yet")
    assert capsys.readouterr().out == "no keys yet\n"


def test_a_script_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    say.table([{"n": 1}], json=True, empty="none")
    assert capsys.readouterr().out == '[\n  {\n    "n": 1\n  }\n]\n'


def test_without_a_terminal_each_tenth_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with say.progress() as report:
        for done in range(0, 101, 5):
            report(done, 100, "reading")
        report(0, None, "recomputing")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"reading: {share} %" for share in range(0, 101, 10)] + ["recomputing …"]


def test_a_moment_is_told_in_words_and_none_is_not() -> None:
    assert (say.when(1_790_000_000_250), say.when(None)) == ("2026-09-21T14:13:20.250Z", "")
