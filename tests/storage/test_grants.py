"""The documented users: the engine understands each statement, and each has least rights."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.loader.migrate import statements

FILE = Path(__file__).parents[2] / "deploy" / "clickhouse" / "users.sql"
STATEMENTS = statements(FILE.read_text())


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, database="test_grants")
    yield opened
    opened.close()


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text[:60])
def test_the_engine_understands_it(storage: ClickHouse, statement: str) -> None:
    """The embedded engine keeps no users, so it is asked for the statement's tree alone."""
    storage.query(f"EXPLAIN AST {statement}")


def test_each_user_has_a_password_of_its_own_to_be_set() -> None:
    made = [one for one in STATEMENTS if one.startswith("CREATE USER")]
    asked = [re.findall(r"BY '(<[\w-]+>)'", one) for one in made]
    assert len(made) == 4
    assert len({found[0] for found in asked}) == len(made)


def test_the_reader_may_only_select() -> None:
    mine = [one for one in STATEMENTS if one.endswith("TO waymark_reader")]
    assert mine == ["GRANT SELECT ON waymark.* TO waymark_reader"]


def test_the_loader_may_not_make_or_drop_tables() -> None:
    (mine,) = [one for one in STATEMENTS if one.endswith("TO waymark_loader")]
    assert mine == "GRANT SELECT, INSERT, ALTER DELETE ON waymark.* TO waymark_loader"
