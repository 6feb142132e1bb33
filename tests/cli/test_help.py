"""``--help`` of every command: what it does, and an example that can be called as it stands."""

import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from services.cli.main import build

Command = TyperCommand | TyperGroup
Path = tuple[str, ...]


def walked(command: Command, path: Path = ()) -> Iterator[tuple[Path, TyperCommand]]:
    """Yield all that can be called, by the words that call it."""
    if isinstance(command, TyperCommand):
        yield path, command
        return
    for name, one in command.commands.items():
        assert isinstance(one, TyperCommand | TyperGroup)
        yield from walked(one, (*path, name))


def whole() -> Command:
    found = get_command(build())
    assert isinstance(found, TyperGroup)
    return found


def shown(command: Command) -> str:
    """Return a command's help as one line."""
    return " ".join(command.get_help(typer.Context(command)).split())


COMMANDS = dict(walked(whole()))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_that_it_takes(path: Path) -> None:
    command = COMMANDS[path]
    _, word, example = (command.help or "").partition("Example: ")
    assert word, f"waymark {' '.join(path)} --help shows no example"
    assert " ".join(example.split()) in shown(command)
    words = shlex.split(example.partition(" > ")[0])
    start = words.index("waymark")
    assert all(one.startswith("WAYMARK_") for one in words[:start])
    rest = words[start + 1 :]
    assert tuple(rest[: len(path)]) == path
    command.make_context("waymark", rest[len(path) :])  # refuses a word it does not know


def test_help_of_the_whole_shows_examples_and_every_command() -> None:
    text = shown(whole())
    assert "waymark run --demo" in text
    assert all(f" {path[0]} " in text for path in COMMANDS)
