"""TLS and logging in, against a broker that has such listeners."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka.broker import free_ports
from deploy.kafka.properties import Listener
from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from services.ingest.kafka_publisher import KafkaPublisher
from tests.sessionizer.street import street, visit
from tests.sessionizer.told import exact
from tests.sessionizer.workers import crew
from tests.support.certificates import Authority
from tests.support.commands import Commands
from tests.support.kafka import read_all, running, settings_for
from tests.support.kafka_load import outgoing

PATIENCE_SECONDS = 120.0
"""The first answer of a broker that has just started takes long on a busy machine."""
USER, PASSWORD = "shop", "s3cr3t-of-the-test"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
PLAIN = (
    f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
)


class Doors:
    """A broker's ways in: settings for each by name."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        certificate, key = self.authority.vouch("broker")
        both = folder / "broker-both.pem"
        both.write_text(key.read_text() + certificate.read_text())
        ours = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(both)}
        mutual = {
            "ssl.client.auth": "required",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca),
        }
        scram = {
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
            "scram-sha-256.sasl.jaas.config": SCRAM,
            "scram-sha-512.sasl.jaas.config": SCRAM,
        }
        plain = {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": PLAIN}
        shapes: dict[str, tuple[str, dict[str, str]]] = {
            "tls": ("SSL", ours),
            "mutual": ("SSL", ours | mutual),
            "scram": ("SASL_SSL", ours | scram),
            "bare": ("SASL_PLAINTEXT", scram),
            "plain": ("SASL_PLAINTEXT", plain),
        }
        ports = dict(zip(shapes, free_ports(len(shapes)), strict=True))
        self.listeners = [
            Listener(name.upper(), ports[name], protocol, settings)
            for name, (protocol, settings) in shapes.items()
        ]
        self._ports = ports

    def settings(self, name: str, **more: Any) -> Settings:
        return settings_for(f"127.0.0.1:{self._ports[name]}", **more)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = Doors(tmp_path_factory.mktemp("certificates"))
    users = [f"SCRAM-SHA-{n}=[name={USER},password={PASSWORD}]" for n in (256, 512)]
    with running(tmp_path_factory.mktemp("kafka"), listeners=made.listeners, scram=users):
        yield made


def login(mechanism: str) -> dict[str, Any]:
    return {
        "kafka_sasl_mechanism": mechanism,
        "kafka_username": USER,
        "kafka_password": PASSWORD,
    }


async def round_trip(settings: Settings) -> None:
    await ensure_topics(settings, ["events", "dead-letters"])
    publisher = KafkaPublisher(settings, patience_seconds=PATIENCE_SECONDS)
    await publisher.start()
    try:
        await publisher.publish([outgoing("v1", 0)])
    finally:
        await publisher.stop()
    assert [one.value for one in await read_all(settings, "events")] == [outgoing("v1", 0).line]


async def test_over_tls(doors: Doors) -> None:
    ca = doors.authority.ca
    await round_trip(doors.settings("tls", kafka_security="ssl", kafka_ca=ca))


async def test_over_tls_with_a_certificate_of_our_own(doors: Doors) -> None:
    certificate, key = doors.authority.vouch("ingest")
    given = {"kafka_ca": doors.authority.ca, "kafka_cert": certificate, "kafka_key": key}
    await round_trip(doors.settings("mutual", kafka_security="ssl", **given))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_logging_in_by_scram_over_tls(doors: Doors, mechanism: str) -> None:
    given = {"kafka_security": "sasl_ssl", "kafka_ca": doors.authority.ca} | login(mechanism)
    await round_trip(doors.settings("scram", **given))


async def test_a_worker_logs_in_over_tls_as_well(
    commands: Commands, doors: Doors, tmp_path: Path
) -> None:
    """Its group, fetches and commits are Faust's own, which is told of both in its own words."""
    given = {"kafka_security": "sasl_ssl", "kafka_ca": doors.authority.ca, "kafka_partitions": 2}
    settings = doors.settings("scram", **given, **login("SCRAM-SHA-512"))
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            await here.send(*visit(3), *visit(7))
            await exact(settings, here.sent)
            assert await asyncio.to_thread(worker.stop) == 0, worker.text()[-3000:]
            assert PASSWORD not in worker.text()


async def test_logging_in_by_scram_without_tls(doors: Doors) -> None:
    given = {"kafka_security": "sasl_plaintext"} | login("SCRAM-SHA-512")
    await round_trip(doors.settings("bare", **given))


async def test_logging_in_by_plain(doors: Doors) -> None:
    given = {"kafka_security": "sasl_plaintext"} | login("PLAIN")
    await round_trip(doors.settings("plain", **given))


async def test_a_broker_nobody_vouches_for_is_not_talked_to(doors: Doors) -> None:
    settings = doors.settings("tls", kafka_security="ssl")
    with pytest.raises(UnavailableError, match="Kafka at"):
        await ensure_topics(settings, patience_s=0.5)


async def test_a_wrong_password_is_told_and_never_shown(doors: Doors) -> None:
    given = {"kafka_security": "sasl_plaintext"} | login("PLAIN") | {"kafka_password": "wr0ng-one"}
    with pytest.raises(UnavailableError, match="Kafka at") as refused:
        await ensure_topics(doors.settings("plain", **given), patience_s=0.5)
    assert "wr0ng-one" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kafka": ""}, "WAYMARK_KAFKA is empty"),
        ({"kafka_security": "ssl", "kafka_ca": Path("/none.pem")}, "/none.pem"),
        ({"kafka_security": "ssl", "kafka_cert": Path("/x")}, "belong together"),
        ({"kafka_security": "sasl_ssl"}, "WAYMARK_KAFKA_USERNAME is empty"),
        ({"kafka_security": "sasl_ssl", "kafka_username": "x"}, "WAYMARK_KAFKA_PASSWORD is empty"),
    ],
)
def test_settings_that_cannot_be_are_named(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidError, match=told):
        client_options(settings_for("127.0.0.1:9092").model_copy(update=given))


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    settings = settings_for("127.0.0.1:9092", kafka_security="ssl", kafka_ca=file)
    with pytest.raises(InvalidError, match="WAYMARK_KAFKA_CA"):
        client_options(settings)
