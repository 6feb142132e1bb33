"""Policy files: single values over the defaults, and refusals that name field and value."""

from pathlib import Path

import pytest

from services.common.errors import InvalidError
from services.common.policy_file import parse_policy, policy_of, read_policy
from services.sessionizer.core.policy import Policy


def test_an_empty_file_is_the_default_policy() -> None:
    assert parse_policy("") == Policy()


def test_single_values_win_and_the_rest_stays() -> None:
    policy = parse_policy("version = 2\n[session]\ngap_ms = 60000\n")
    assert (policy.version, policy.session.gap_ms) == (2, 60_000)
    assert policy.session.max_ms == Policy().session.max_ms


def test_stage_tables_are_merged_line_by_line() -> None:
    policy = parse_policy('[stage_of_type]\nreview = "interest"\n')
    assert policy.stage_of_type["review"] == "interest"
    assert policy.stage_of_type["purchase"] == "purchase"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = = 1", "is not TOML"),
        (
            "[session]\ngap_ms = 'half an hour'\n",
            "session.gap_ms = 'half an hour': expected int, got str",
        ),
        ("[session]\ngap = 3\n", "session has no line 'gap'; it may be one of gap_ms, max_ms, "),
        ("gap_ms = 3\n", "a policy has no line 'gap_ms'; it may be one of version, session, "),
        ("session = 3\n", "session = 3: expected object, got int"),
        (
            "[[stage_of_path]]\npath = '/x'\n",
            "stage_of_path[0]: object contains unknown field path",
        ),
        ("[session]\ngap_ms = 0\n", "session.gap_ms = 0 is not greater than 0"),
        ("version = 0", "version = 0 is less than 1"),
        ("[stage_of_type]\npurchased = 'purchase'\n", "has no line 'purchased'"),
        (
            "[stage_of_type]\npurchase = 'bought'\n",
            "stage_of_type[...]: invalid enum value 'bought'",
        ),
        ("[cart]\nidle_ms = 60000\n", "cart.checkout_idle_ms = 900000 is greater than"),
    ],
)
def test_a_wrong_file_is_refused_by_field_and_value(text: str, said: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_policy(text)
    assert said in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"none\.toml cannot be read: No such file"):
        read_policy(tmp_path / "none.toml")


def test_where_no_file_is_named_the_rules_are_as_shipped(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("version = 2\n[session]\ngap_ms = 60000\n")
    assert policy_of(None) == Policy()
    assert policy_of(file).session.gap_ms == 60_000


def test_two_policies_that_name_no_version_never_bear_the_same() -> None:
    texts = (
        "",
        "[session]\ngap_ms = 60000",
        "[session]\ngap_ms = 60001",
        "[cart]\nidle_ms = 2000000",
    )
    versions = [parse_policy(text).version for text in texts]
    assert versions[0] == 1, "the rules as shipped"
    assert len(set(versions)) == len(texts)
    assert min(versions[1:]) >= 1 << 31
    assert max(versions) < 1 << 32, "what storage holds"
    assert parse_policy("# as the second\n[session]\ngap_ms = 60_000").version == versions[1]


def test_other_rules_may_not_call_themselves_the_shipped_ones() -> None:
    with pytest.raises(InvalidError, match="version = 1 is that of other rules"):
        parse_policy("version = 1\n[session]\ngap_ms = 60000")
    assert parse_policy("version = 1").version == 1


def test_what_a_source_has_stored_goes_on_over_a_base_of_the_same_version() -> None:
    for base in (Policy(), parse_policy("version = 7\n[cart]\nidle_ms = 2000000")):
        text = f"version = {base.version}\n[session]\ngap_ms = 60000"
        assert parse_policy(text, "policy of source a", base).version >= 1 << 31
