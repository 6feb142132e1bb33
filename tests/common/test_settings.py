"""Settings: environment over file over defaults, and clear refusals."""

from pathlib import Path

import pytest

from services.common.errors import InvalidError
from services.common.settings import load


def test_defaults_need_no_environment(tmp_path: Path) -> None:
    settings = load({}, _write(tmp_path, ""))
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.data == Path("waymark-data")


def test_environment_wins_over_file_and_arguments_over_both(tmp_path: Path) -> None:
    file = _write(tmp_path, 'port = 1000\nhost = "0.0.0.0"\n')
    assert load({}, file).port == 1000
    assert load({"WAYMARK_PORT": "2000"}, file).port == 2000
    assert load({"WAYMARK_PORT": "2000"}, file, {"port": 3000, "host": None}).port == 3000
    assert load({"WAYMARK_PORT": "2000"}, file, {"port": 3000}).host == "0.0.0.0"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"WAYMARK_PROT": "1"}, "unknown setting WAYMARK_PROT"),
        ({"WAYMARK_PORT": "http"}, "setting WAYMARK_PORT = 'http' is no whole number"),
        ({"WAYMARK_PORT": "70000"}, "setting WAYMARK_PORT = '70000' is more than 65535"),
        ({"WAYMARK_POISON_SHARE": "much"}, "WAYMARK_POISON_SHARE = 'much' is no number"),
        ({"WAYMARK_OPEN_READS": "maybe"}, "= 'maybe' is neither true nor false"),
        ({"WAYMARK_LOG_LEVEL": "loud"}, "= 'loud' is none of 'debug', 'info', 'warning' or 'er"),
        ({"WAYMARK_KAFKA_PREFIX": "a b"}, "= 'a b' is not of the form ^[a-zA-Z0-9_-]{1,64}$"),
        ({"WAYMARK_TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, "= 'proxy' is wrong: 'proxy' does not"),
    ],
)
def test_unknown_and_malformed_settings_stop_the_start(
    environ: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError) as refusal:
        load(environ, _write(tmp_path, ""))
    assert said in str(refusal.value)


def test_a_malformed_key_is_named_but_never_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as refusal:
        load({"WAYMARK_WRITE_KEYS": "s3cr3t"}, _write(tmp_path, ""))
    assert "WAYMARK_WRITE_KEYS = (hidden)" in str(refusal.value)
    assert "s3cr3t" not in str(refusal.value)


def test_lists_are_written_with_commas(tmp_path: Path) -> None:
    settings = load(
        {
            "WAYMARK_WRITE_KEYS": "shop=a, blog=b",
            "WAYMARK_READ_TOKENS": "t1,t2:shop",
            "WAYMARK_TRUSTED_PROXIES": "10.1.2.3,fd00::/8",
        },
        _write(tmp_path, ""),
    )
    assert settings.write_keys == ("shop=a", "blog=b")
    assert settings.read_tokens == ("t1", "t2:shop")
    assert settings.trusted_proxies == ("10.1.2.3/32", "fd00::/8")


def test_the_variables_of_the_tests_are_no_settings(tmp_path: Path) -> None:
    settings = load({"WAYMARK_REQUIRE_KAFKA": "1", "WAYMARK_TEST_DATA": "x"}, _write(tmp_path, ""))
    assert settings.port == 8080


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="does not exist"):
        load({}, tmp_path / "none.toml")
    with pytest.raises(InvalidError, match="is not TOML"):
        load({}, _write(tmp_path, "port = = 1"))


def _write(folder: Path, text: str) -> Path:
    file = folder / "waymark.toml"
    file.write_text(text, encoding="utf-8")
    return file
