"""The documented users on the real engine: each may do all that its part does, and nothing else.

The embedded engine has one user and keeps none, but it reads a server's files: so each is tried as
that one user, with the grants that ``users.xml`` gives it.
"""

import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from schemas.spans import DAY_MS
from services.common.clickhouse import READ_LIMITS, ClickHouse, open_storage
from services.common.errors import InvalidError
from services.common.settings import load
from services.loader.erase import erase
from services.loader.migrate import migrations, statements
from services.loader.retention import drop_events, drop_rollups
from services.loader.seal import seal
from services.loader.warehouse import migrate_server, migrated
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from tests.metrics.shop import NOW, SINCE, SOURCE, generate

FOLDER = Path(__file__).parents[2] / "deploy" / "clickhouse"
STATEMENTS = statements((FOLDER / "users.sql").read_text())
USERS = {
    user.tag: [str(query.text) for query in user.iter("query")]
    for user in ET.parse(FOLDER / "users.xml").getroot().iter()
    if user.tag.startswith("waymark_")
}
CONFIG = """
<clickhouse>
    <users_config>%s</users_config>
    <access_control_improvements>
        <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    </access_control_improvements>
</clickhouse>
"""
ONE_USER = """
<clickhouse>
    <profiles><default/></profiles><quotas><default/></quotas>
    <users><default>
        <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <grants>%s</grants>
    </default></users>
</clickhouse>
"""
ITS_OWN = ["GRANT SHOW DATABASES ON default.*", "GRANT FILE ON *.*"]
"""What the stand-in for a server itself does: ``USE``, and rows that reach the engine in a file."""
As = Callable[[str], ClickHouse]


@contextmanager
def server(folder: Path, user: str) -> Iterator[str]:
    """Yield the address of a server over the folder's engine whose user may what this one may."""
    (folder / "config.xml").write_text(CONFIG % (folder / "users.xml"))
    grants = "".join(f"<query>{query}</query>" for query in USERS[user] + ITS_OWN)
    (folder / "users.xml").write_text(ONE_USER % grants)
    engine = f"{folder / 'engine'}?config-file={folder / 'config.xml'}"
    command = [sys.executable, "-m", "deploy.clickhouse_local", engine, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[-1] + "/waymark"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where an engine has the tables and rows that its owner alone has made."""
    made = tmp_path_factory.mktemp("grants")
    with server(made, "waymark_owner") as address:
        settings = load({"WAYMARK_CLICKHOUSE": address})
        assert migrate_server(settings)["applied"] == [one.name for one in migrations()]
        storage = migrated(settings)
        generate(seed=9, visits=12).insert(storage)
        assert erase(storage, SOURCE, visitor_id=somebody(storage))["sessions"] > 0
        refused(storage, "CREATE DATABASE other", "CREATE USER other")
        storage.close()
    return made


@pytest.fixture
def storage_as(folder: Path) -> Iterator[As]:
    with ExitStack() as ending:

        def opened(user: str) -> ClickHouse:
            address = ending.enter_context(server(folder, user))
            storage = open_storage(address, create=False, settings=READ_LIMITS)
            ending.callback(storage.close)
            return storage

        yield opened


def refused(storage: ClickHouse, *orders: str) -> None:
    for order in orders:
        with pytest.raises(InvalidError, match="ACCESS_DENIED"):
            storage.command(order)


def somebody(storage: ClickHouse) -> str:
    asked = "SELECT min(visitor_id) AS id FROM sessions WHERE source = {source:String}"
    (row,) = storage.query(asked, {"source": SOURCE})
    return str(row["id"])


INSERT = "INSERT INTO sessions (source) VALUES ('x')"
DELETE = "ALTER TABLE sessions DELETE WHERE 1"
CREATE = "CREATE TABLE other (a String) ENGINE = Memory"
DROP = "DROP TABLE sessions"


def test_the_loader_loads_seals_and_forgets_but_makes_no_table(storage_as: As) -> None:
    storage = storage_as("waymark_loader")
    generate(seed=10, visits=12).insert(storage)
    assert seal(storage, SOURCE, "UTC", NOW) > 0
    assert drop_events(storage, SOURCE, SINCE + DAY_MS) >= 0
    drop_rollups(storage, NOW)
    refused(storage, CREATE, DROP, "CREATE DATABASE other")


def test_the_reader_answers_and_changes_nothing(storage_as: As) -> None:
    storage = storage_as("waymark_reader")
    asked = MetricQuery(metric="sessions", source=SOURCE, from_ms=SINCE, to_ms=NOW, now_ms=NOW)
    assert sum(row["value"] for row in rows(storage, asked)) > 0
    for table in storage.query("SHOW TABLES"):
        storage.query(f"SELECT * FROM {table['name']} LIMIT 0")
    refused(storage, INSERT, DELETE, CREATE, DROP)


def test_the_eraser_erases_and_makes_nothing_else(storage_as: As) -> None:
    storage = storage_as("waymark_eraser")
    assert erase(storage, SOURCE, visitor_id=somebody(storage))["sessions"] > 0
    refused(storage, INSERT, CREATE, DROP)


def test_both_files_grant_the_same() -> None:
    grants = [one for one in STATEMENTS if one.startswith("GRANT")]
    assert sorted(grants) == sorted(
        f"{query} TO {user}" for user, queries in USERS.items() for query in queries
    )


def test_each_user_has_a_password_of_its_own() -> None:
    made = [one for one in STATEMENTS if one.startswith("CREATE USER")]
    named = {found for one in made for found in re.findall(r"EXISTS (\w+) .+ BY '<[\w-]+>'", one)}
    assert len(made) == len({shlex.split(one)[-1] for one in made}) == len(USERS)
    assert named == USERS.keys()
    asked = re.findall(r'from_env="(\w+)"', (FOLDER / "users.xml").read_text())
    assert len(set(asked)) == len(USERS)
