"""Both shapes of Waymark, started once for all tests of the journey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey.installations import Installation, distributed, standalone
from tests.journey.street import Both
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.commands import Commands
from tests.support.kafka import settings_for


@pytest.fixture(scope="session")
def journey_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journey")


@pytest.fixture(scope="session")
def clickhouse(journey_folder: Path) -> Iterator[ClickHouseProcess]:
    server = ClickHouseProcess(journey_folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def both(
    kafka: str, commands: Commands, journey_folder: Path, clickhouse: ClickHouseProcess
) -> Iterator[Both]:
    """Run both and send them the same file."""
    settings = settings_for(kafka)
    one = standalone(commands, journey_folder)
    many = distributed(commands, journey_folder, settings, clickhouse)
    try:
        for installation in (one, many):
            installation.launch()
        for installation in (one, many):
            installation.open()
        yield Both(one, many)
    finally:
        one.close()
        many.close()


@pytest.fixture(params=["standalone", "distributed"])
def installation(request: pytest.FixtureRequest, both: Both) -> Installation:
    return both.standalone if request.param == "standalone" else both.distributed
