"""``waymark outgrow``."""

from services.cli import say
from services.cli.options import Data, Json
from services.cli.remote import settings_of
from services.common.settings import PREFIX, Settings
from services.common.shown import for_shell

NEXT = """\
Moved to {moved_to}: {rows} rows, {keys} keys and tokens, {states} live states.
Now start the parts there (waymark sessionizer, loader, metrics-api, ingest), all of them with
  {settings}
and let storefronts send to the new ingest: their keys go on working. The folder is whole; keep it
until you are sure.
"""
TARGET = ("kafka", "kafka_prefix", "kafka_partitions", "clickhouse")
"""What decides where everything is, told also where it is the default."""


def outgrow(data: Data = None, json: Json = False) -> None:
    """Move a stopped data folder to Kafka and a ClickHouse server, with nothing lost or doubled.

    WAYMARK_KAFKA and WAYMARK_CLICKHOUSE say where to. A move that was cut short goes on where it
    stopped when it is called again.

    Example: WAYMARK_KAFKA=kafka:9092 WAYMARK_CLICKHOUSE=http://waymark:PASSWORD@clickhouse:8123/waymark
    waymark outgrow --data ./waymark-data
    """
    from services.standalone.outgrow.run import outgrow as move  # noqa: PLC0415 - rarely needed

    settings = settings_of(data=data)
    with say.progress() as report:
        result = move(settings, report)
    if json:
        say.as_json(result)
    else:
        say.out(NEXT.format(**result, settings=_of_parts(settings)).rstrip())


def _of_parts(settings: Settings) -> str:
    """Return what every part must be told to work on what was moved, without secrets."""
    reach = {name for name in settings.model_fields_set if name.startswith(("kafka", "clickhouse"))}
    names = [*TARGET, *sorted(reach - set(TARGET))]
    values = {name: str(getattr(settings, name)) for name in names}
    return for_shell({PREFIX + name.upper(): value for name, value in values.items() if value})
