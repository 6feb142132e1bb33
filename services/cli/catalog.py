"""``waymark sources`` and ``waymark keys``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import say
from services.cli.options import Data, Json, check_file
from services.cli.remote import call
from services.common.errors import InvalidError

SOURCE_COLUMNS = ("name", "timezone", "currency", "hosts", "demo", "test")
KINDS = {"server", "browser", "test", "read"}


def sources_ls(data: Data = None, json: Json = False) -> None:
    """List the storefronts.

    Example: waymark sources ls
    """
    rows = call("sources.ls", data)
    shown = rows if json else [{name: row[name] for name in SOURCE_COLUMNS} for row in rows]
    say.table(shown, json=json, empty="no sources yet: `waymark sources set NAME` makes one")


def sources_set(
    name: Annotated[str, typer.Argument(help="Its name.")],
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Madrid.")] = None,
    currency: Annotated[str | None, typer.Option(help="Three letters, ISO 4217.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="Its own host; repeatable.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Rules of its own (TOML).")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a storefront, or change what is named of it.

    Example: waymark sources set shop --timezone Europe/Madrid --currency EUR --host shop.example
    """
    if policy is not None:
        check_file("policy file", policy, pipe=True)
    row = call(
        "sources.set",
        data,
        name=name,
        timezone=timezone,
        currency=currency,
        hosts=host,
        policy=policy.read_text("utf-8") if policy else None,
    )
    if json:
        say.as_json([row])
        return
    say.err(f"{'made' if row['made'] else 'changed'} source {row['name']}")
    say.table([{column: row[column] for column in SOURCE_COLUMNS}], json=False, empty="")


def keys_ls(data: Data = None, json: Json = False) -> None:
    """List write keys and read tokens; secrets are never shown again.

    Example: waymark keys ls --json
    """
    rows = call("keys.ls", data)
    shown = rows if json else [_in_words(row) for row in rows]
    say.table(shown, json=json, empty="no keys yet: `waymark keys create` makes one")


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix("_ms"): say.when(value) if name.endswith("_ms") else value
        for name, value in row.items()
    }


def keys_create(
    source: Annotated[str | None, typer.Argument(help="Storefront the key belongs to.")] = None,
    kind: Annotated[str, typer.Option(help="server, browser, test, or read.")] = "server",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Web origin a browser key accepts, or *; repeatable, needed for browser."
        ),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a write key, or with --kind read a token for reading; shows the secret this once.

    Example: waymark keys create shop --kind browser --origin https://shop.example
    """
    if kind not in KINDS:
        raise InvalidError(f"kind = {kind!r} is none of {', '.join(sorted(KINDS))}")
    made = call("keys.create", data, source=source, kind=kind, origins=origin)
    if json:
        say.as_json(made)
    else:
        say.out(f"{made['kind']} key {made['id']} of source {made['source']}: {made['secret']}")
        say.err("It is kept hashed and never shown again.")


def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="Id as `waymark keys ls` shows it.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a write key or read token useless from now on.

    Example: waymark keys revoke 1a2b3c4d
    """
    result = call("keys.revoke", data, id=key_id)
    if json:
        say.as_json(result)
    else:
        say.out(f"revoked {key_id}")
