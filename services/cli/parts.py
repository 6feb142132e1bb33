"""``waymark ingest`` and the other parts of a distributed installation, each a process.

They are set by ``WAYMARK_*`` and ``waymark.toml`` alone; a host and a port may be given here.
"""

from typing import Annotated

import typer

from services.cli.remote import settings_of
from services.common.settings import Settings

Host = Annotated[str | None, typer.Option(help="Address; default 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")]


def ingest(host: Host = None, port: Port = None) -> None:
    """Take events over HTTP into Kafka. Default port 8080.

    Example: WAYMARK_KAFKA=127.0.0.1:9092 waymark ingest
    """
    from services.ingest.run import run  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(run(_settings(host, port, 8080)))


def sessionizer(host: Host = None, port: Port = None) -> None:
    """Fold a share of the log's partitions: a worker, as many as you like. Default port 8082.

    Example: WAYMARK_KAFKA=127.0.0.1:9092 waymark sessionizer
    """
    from services.sessionizer.run import run  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(run(_settings(host, port, 8082)))


def loader(host: Host = None, port: Port = None) -> None:
    """Bring events and rows from Kafka into ClickHouse. Default port 8083.

    Example: WAYMARK_KAFKA=127.0.0.1:9092 WAYMARK_CLICKHOUSE=http://127.0.0.1:8123 waymark loader
    """
    from services.loader.run import run  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(run(_settings(host, port, 8083)))


def metrics_api(host: Host = None, port: Port = None) -> None:
    """Answer metrics, entities and the page from ClickHouse and the workers. Default port 8081.

    Example: WAYMARK_KAFKA=… WAYMARK_CLICKHOUSE=http://127.0.0.1:8123 waymark metrics-api
    """
    from services.metrics_api.run import run  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(run(_settings(host, port, 8081)))


def _settings(host: str | None, port: int | None, default: int) -> Settings:
    """Return the settings; where nobody names a port, it is the part's own."""
    settings = settings_of(host=host, port=port)
    if "port" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"port": default})
