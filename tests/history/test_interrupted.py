"""Ctrl-C on a command that waits for workers: it ends at once, in order, and stores nothing."""

import os
import signal

from services.common.settings import Settings
from tests.support.clickhouse_http import clickhouse_over_http
from tests.support.commands import Commands
from tests.support.process import eventually

INTERRUPTED = 130


def test_an_interrupted_rebuild_says_what_it_waits_for_and_leaves_no_task_behind(
    kafka_settings: Settings, commands: Commands, chdb_dsn: str
) -> None:
    with clickhouse_over_http(chdb_dsn.removeprefix("chdb://")) as url:
        pid, output = commands.start(
            "rebuild",
            WAYMARK_KAFKA=kafka_settings.kafka,
            WAYMARK_KAFKA_PREFIX=kafka_settings.kafka_prefix,
            WAYMARK_KAFKA_PARTITIONS=str(kafka_settings.kafka_partitions),
            WAYMARK_CLICKHOUSE=f"{url}/interrupted",
            WAYMARK_WRITE_KEYS="shop=a-key-of-the-shop",
        )
        errors = output.with_suffix(".err")
        eventually(errors.exists, 90)
        eventually(lambda: "waits for the workers" in errors.read_text(), 90)
        os.kill(pid, signal.SIGINT)
        assert commands.wait(pid) == INTERRUPTED, errors.read_text()
    said = errors.read_text()
    assert "does `waymark sessionizer` run?" in said
    for trouble in ("Traceback", "destroyed", "never awaited", "Unclosed"):
        assert trouble not in said, said
