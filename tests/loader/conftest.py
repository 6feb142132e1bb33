"""A loader on a real broker and a server that speaks ClickHouse's HTTP interface."""

from collections.abc import Iterator

import pytest

from services.common.settings import Settings
from tests.support.clickhouse_http import ClickHouseProcess


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    made = ClickHouseProcess(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def settings(kafka_settings: Settings, server: ClickHouseProcess) -> Settings:
    """Return settings with topics and a database that no other test has."""
    address = f"{server.url}/{kafka_settings.kafka_prefix}"
    return kafka_settings.model_copy(update={"clickhouse": address})
