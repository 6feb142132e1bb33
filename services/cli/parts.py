"""``waymark ingest`` and the other parts of a distributed installation, each a process.

They are set by ``WAYMARK_*`` and ``waymark.toml`` alone; a host and a port may be given here.
"""

from typing import Annotated

import typer

from services.cli.remote import settings_of

Host = Annotated[str | None, typer.Option(help="Address; default 127.0.0.1.")]
Port = Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")]


def ingest(host: Host = None, port: Port = None) -> None:
    """Take events over HTTP into Kafka. Default port 8080.

    Example: WAYMARK_KAFKA=127.0.0.1:9092 waymark ingest
    """
    from services.ingest.run import run  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(run(settings_of(host=host, port=port)))
