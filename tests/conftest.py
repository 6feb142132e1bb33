"""Fixtures that every layer of the tests shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.kafka.broker import Broker
from services.common.settings import Settings
from tests.support.commands import Commands
from tests.support.kafka import running, settings_for

PROJECT = Path(__file__).resolve().parent.parent

# How long an example takes, or making one, says more of the machine than of what is tested.
settings.register_profile("waymark", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("waymark")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of real input files, or skip with the reason where there is none."""
    folder = Path(os.environ.get("WAYMARK_TEST_DATA", PROJECT / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real input at {folder}; set WAYMARK_TEST_DATA to a folder that has it")
    return folder


@pytest.fixture(scope="session")
def chdb_dsn(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the one embedded engine this test process may open."""
    return f"chdb://{tmp_path_factory.mktemp('clickhouse')}"


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Return what runs ``waymark``; it imports once for all tests."""
    made = Commands(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real broker, started when the first test asks for it.

    It looks every second for transactions that last too long, for whoever waits for its abort.
    """
    fast = {"transaction_abort_timed_out_transaction_cleanup_interval_ms": "1000"}
    with running(tmp_path_factory.mktemp("kafka"), **fast) as broker:
        yield broker.address


@pytest.fixture(scope="session")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return another broker, to be stopped, killed and looked into; each test leaves it running.

    It cleans its logs at once, for whoever looks there for what must be gone.
    """
    fast = {"log_cleaner_backoff_ms": "100", "log_cleaner_min_cleanable_ratio": "0.01"}
    with running(tmp_path_factory.mktemp("victim"), **fast) as broker:
        yield broker


@pytest.fixture
def kafka_settings(kafka: str) -> Settings:
    """Return settings for that broker with topics that no other test has."""
    return settings_for(kafka)
