"""``waymark dlq``, ``forget``, ``migrate``, ``backup``, ``restore`` and ``doctor``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import say
from services.cli.options import Data, From, Json, Source, To, time_ms
from services.cli.remote import call, settings_of
from services.common.errors import InvalidError, invalid

LETTER_COLUMNS = ("id", "received", "source", "code", "field", "message")
Ids = Annotated[list[str], typer.Argument(help="Ids as `waymark dlq ls` shows them.")]
CHECK_COLUMNS = ("name", "verdict", "message", "do")
PLACES = {
    "log": "lines of the log",
    "states": "live states",
    "forwards": "orders on their way",
    "dead_letters": "refused events",
}
"""What ``forget`` counts, where the bare name does not say it; else it is a table of storage."""
FOUND_WRONG = 1
ON_KAFKA = (
    "what is on Kafka and ClickHouse is kept by their own means: ClickHouse's BACKUP DATABASE, and "
    "Kafka's replicas (docs/operations.md, Backup and restore); for a data folder name it: --data"
)


def dlq_ls(
    from_: From = None,
    to: To = None,
    source: Source = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    data: Data = None,
    json: Json = False,
) -> None:
    """List refused events, the newest first.

    Example: waymark dlq ls --from now-6h --source shop
    """
    rows = call(
        "dlq.ls",
        data,
        source=source,
        from_ms=time_ms("--from", from_),
        to_ms=time_ms("--to", to),
        limit=limit,
    )
    shown = rows if json else [{name: row[name] for name in LETTER_COLUMNS} for row in rows]
    say.table(shown, json=json, empty="no refused events")


def dlq_show(letter: Annotated[str, typer.Argument(help="Its id.")], data: Data = None) -> None:
    """Show one refused event with its original bytes.

    Example: waymark dlq show ID
    """
    say.as_json(call("dlq.show", data, id=letter))


def dlq_retry(ids: Ids, data: Data = None, json: Json = False) -> None:
    """Send refused events through again, for example after a setting was mended.

    Exit status 1 where one was refused again; it stays where it is.

    Example: waymark dlq retry ID ID
    """
    result = call("dlq.retry", data, ids=ids)
    if json:
        say.as_json(result)
    else:
        say.out(f"{len(result['accepted'])} accepted")
        for one in result["refused"]:
            say.err(f"{one['id']}: {one['message']}")
    if result["refused"]:
        raise typer.Exit(FOUND_WRONG)


def forget(
    visitor: Annotated[str | None, typer.Argument(help="Visitor id.")] = None,
    user: Annotated[str | None, typer.Option(help="User id, with all its visitors.")] = None,
    source: Source = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Erase a visitor or a user everywhere: log, live state, storage, refused events.

    On Kafka the log's own lines go with its retention (WAYMARK_KAFKA_KEEP_HOURS), not before.

    Example: waymark forget --user customer-42
    """
    if (visitor is None) == (user is None):
        raise InvalidError("name a visitor, or a user with --user (one of the two)")
    result = call("forget", data, source=source, visitor_id=visitor, user_id=user)
    if json:
        say.as_json(result)
        return
    if result["visitors"]:
        went = [{"of": PLACES.get(name, name), "erased": count} for name, count in result.items()]
        say.table(went, json=False, empty="")
        return
    who = f"visitor {visitor!r}" if visitor else f"user {user!r}"
    say.out(f"nothing was found of {who}{f' of source {source}' if source else ''}")


def migrate(data: Data = None, json: Json = False) -> None:
    """Bring storage's tables to the newest form: the folder's, or those of WAYMARK_CLICKHOUSE.

    Example: waymark migrate --data ./waymark-data
    """
    from services.loader.warehouse import migrate_server  # noqa: PLC0415 - rarely needed

    settings = settings_of(data=data)
    found = migrate_server(settings) if settings.clickhouse else call("migrate", data)
    if json:
        say.as_json(found)
    elif found["applied"]:
        say.out(f"applied {', '.join(found['applied'])}")
    else:
        say.out(f"nothing to do: all {len(found['present'])} migrations are there")


def backup(
    folder: Annotated[Path, typer.Argument(help="New folder to write into.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy everything into a folder, also while `waymark run` is running.

    Example: waymark backup ./backup-monday --data ./waymark-data
    """
    _check_is_folder(data)
    _tell_copy("backup in", call("backup", data, folder=str(folder.resolve())), json=json)


def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `waymark backup` wrote.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring a backup into an empty data folder.

    Example: waymark restore ./backup-monday --data ./restored
    """
    from services.standalone.restore import restore as bring_back  # noqa: PLC0415 - rarely needed

    _check_is_folder(data)
    with say.progress() as report:
        result = bring_back(settings_of(data=data), folder.resolve(), report)
    _tell_copy("restored into", result, json=json)


def doctor(data: Data = None, json: Json = False) -> None:
    """Check settings, sizes, clock, keys and lag, and say what to do.

    On Kafka: settings, brokers, topics, keys, lag, owners of partitions, storage, refused events.
    Exit status 1 where something is wrong.

    Example: waymark doctor --data ./waymark-data
    """
    result = call("doctor", data)
    if json:
        say.as_json(result)
    else:
        shown = [{name: check[name] for name in CHECK_COLUMNS} for check in result["checks"]]
        say.table(shown, json=False, empty="")
    if not result["well"]:
        raise typer.Exit(FOUND_WRONG)


def _check_is_folder(data: str | None) -> None:
    """Refuse what is meant of an installation on Kafka, of which no folder holds anything."""
    kafka = settings_of(data=data).kafka
    if kafka and data is None:
        raise invalid("WAYMARK_KAFKA", kafka, ON_KAFKA)


def _tell_copy(done: str, result: dict[str, Any], *, json: bool) -> None:
    if json:
        say.as_json(result)
        return
    say.out(
        f"{done} {result['folder']}: all as of {say.when(result['made_ms'])}, the log up to record "
        f"{result['log_end']}"
    )
    rows = [{"table": name, "rows": count} for name, count in result["rows"].items() if count]
    say.table(rows, json=False, empty="")
