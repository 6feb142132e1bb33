"""The published JSON Schemas: what the types say, and examples that hold."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import msgspec
import pytest

from schemas.context import Context, site
from schemas.event import Event
from schemas.generate import FOLDER, FORMS, main, text_of
from schemas.normalise import normalise, prepare
from schemas.wire import NUMBER_FIELDS, OWN_FIELDS, VARIED_FIELDS, Wire


def published(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", FORMS)
def test_a_schema_is_what_the_types_say(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text_of(name)


def test_check_tells_a_fresh_from_a_stale_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemas.generate", "--check"]
    root = FOLDER.parent.parent
    assert subprocess.run(command, cwd=root, check=False).returncode == 0
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "event.json").write_text("{}")
    assert main(["--check"], tmp_path) == 1


@pytest.mark.parametrize("name", FORMS)
def test_examples_hold_by_the_schema_and_by_the_type(name: str) -> None:
    schema = published(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["examples"]
    for example in schema["examples"]:
        jsonschema.validate(example, schema, jsonschema.Draft202012Validator)
        msgspec.convert(example, FORMS[name][0])


@pytest.mark.parametrize("example", FORMS["event_input"][2])
def test_an_input_example_becomes_an_event_that_holds_by_its_schema(
    example: dict[str, Any],
) -> None:
    ctx = Context(
        site=site("shop", currency="EUR"), received_ms=1_795_255_600_000, new_id=lambda: "random"
    )
    event = normalise(json.dumps(example).encode(), ctx)
    assert isinstance(event, Event), event
    assert event.event_id == example["event_id"]
    ready = prepare(json.dumps(example).encode(), ctx)
    jsonschema.validate(json.loads(ready.line), published("event"))  # type: ignore[union-attr]
    assert msgspec.json.decode(ready.line, type=Event) == event  # type: ignore[union-attr]


def test_an_input_that_names_nobody_fails_the_schema() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"type": "page_view"}, published("event_input"))


def test_every_canonical_field_can_be_sent_or_is_waymarks_own() -> None:
    sent = set(Wire.__annotations__)
    assert set(Event.__struct_fields__) == (sent - {"timestamp"}) | OWN_FIELDS
    assert sent & OWN_FIELDS == set()


def test_the_quick_reading_knows_which_fields_are_texts() -> None:
    hints = get_type_hints(Wire)
    for name, hint in hints.items():
        is_text = hint is str or isinstance(next(iter(get_args(hint)), None), str)
        assert is_text == (name not in NUMBER_FIELDS | VARIED_FIELDS), name
