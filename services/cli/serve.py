"""``waymark run``."""

from typing import Annotated

import typer

from services.cli.options import Data
from services.cli.remote import settings_of


def run(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address; default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; default 8080, 0 takes a free one.")
    ] = None,
    demo: Annotated[
        bool, typer.Option(help="Add a simulated shop, so that pages have life.")
    ] = False,
) -> None:
    """Everything in one process on one data folder; prints URLs and, at first, keys.

    Example: waymark run --data ./waymark-data --port 8080
    """
    from services.standalone.run import run as serve  # noqa: PLC0415 - other commands start faster

    raise typer.Exit(serve(settings_of(data=data, host=host, port=port), demo))
