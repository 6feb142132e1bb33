"""``waymark outgrow``."""

from services.cli import say
from services.cli.options import Data, Json
from services.cli.remote import settings_of

NEXT = """\
Moved to {moved_to}: {rows} rows, {keys} keys and tokens, {states} live states.
Now start the parts there (waymark sessionizer, loader, metrics-api, ingest), and let storefronts
send to the new ingest: their keys go on working. The folder is whole; keep it until you are sure.
"""


def outgrow(data: Data = None, json: Json = False) -> None:
    """Move a stopped data folder to Kafka and a ClickHouse server, with nothing lost or doubled.

    WAYMARK_KAFKA and WAYMARK_CLICKHOUSE say where to. A move that was cut short goes on where it
    stopped when it is called again.

    Example: WAYMARK_KAFKA=kafka:9092 WAYMARK_CLICKHOUSE=http://waymark:PASSWORD@clickhouse:8123/waymark
    waymark outgrow --data ./waymark-data
    """
    from services.standalone.outgrow.run import outgrow as move  # noqa: PLC0415 - rarely needed

    with say.progress() as report:
        result = move(settings_of(data=data), report)
    if json:
        say.as_json(result)
    else:
        say.out(NEXT.format(**result).rstrip())
