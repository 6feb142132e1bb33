"""``make env``: random, different every time, for the owner alone, and never over what is there."""

import stat
from pathlib import Path

import pytest

from deploy import env
from services.common.settings import load


def values(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_values_are_random_and_all_different() -> None:
    one, other = values(env.render()), values(env.render())
    assert one.keys() == other.keys() == env.SECRETS.keys()
    drawn = [*one.values(), *other.values()]
    assert len(set(drawn)) == len(drawn)
    assert all(len(value) >= 48 for value in drawn)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert env.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("end", ["", "\n"])
def test_what_is_there_stays_and_what_it_lacks_is_added(tmp_path: Path, end: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"BIND=0.0.0.0\nGRAFANA_PASSWORD=mine{end}")
    assert set(env.write(path)) == env.SECRETS.keys() - {"GRAFANA_PASSWORD"}
    found = values(path.read_text())
    assert found["GRAFANA_PASSWORD"] == "mine"
    assert found.keys() == {"BIND", *env.SECRETS}
    before = path.read_text()
    assert env.write(path) == []
    assert path.read_text() == before


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert env.main(tmp_path / ".env") == 0
    assert "docker compose up" in capsys.readouterr().out
    assert env.main(tmp_path / ".env") == 0
    assert "is there already" in capsys.readouterr().out
    older = tmp_path / ".env-of-before"
    older.write_text("READ_TOKEN=rt_1\n")
    assert env.main(older) == 0
    assert "new values for CLICKHOUSE_OWNER_PASSWORD, " in capsys.readouterr().out


def test_the_values_are_settings_that_the_parts_take() -> None:
    drawn = values(env.render())
    settings = load({
        "WAYMARK_WRITE_KEYS": f"shop={drawn['WRITE_KEY']}",
        "WAYMARK_READ_TOKENS": drawn["READ_TOKEN"],
        "WAYMARK_CLICKHOUSE": f"http://waymark_reader:{drawn['CLICKHOUSE_READER_PASSWORD']}@clickhouse:8123/waymark",
    })  # fmt: skip
    assert settings.write_keys == (f"shop={drawn['WRITE_KEY']}",)


def test_git_and_the_image_never_see_it() -> None:
    root = Path(__file__).parents[2]
    assert "/.env" in (root / ".gitignore").read_text().splitlines()
    ignored = (root / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert "!.env" not in ignored
