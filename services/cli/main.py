"""The ``waymark`` command: its subcommands, and how an error becomes an exit status.

0: done. 1: done, but something was rejected or found wrong. 2: the call or a setting is wrong.
3: something is away now; try again.
"""

import sys
from collections.abc import Callable, Mapping

import typer

from services.cli import catalog, history, outgrow, parts, replay, say, serve, upkeep
from services.common.errors import RetryableError, WaymarkError

HELP = """Live customer-journey stages, bounce and cart-abandonment signals.

Examples: waymark run --demo, then waymark doctor; waymark COMMAND --help shows more.
"""
WRONG = 2
LATER = 3


def build() -> typer.Typer:
    """Return the command with all its subcommands."""
    app = typer.Typer(
        name="waymark",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.command("run")(serve.run)
    for name, command in PARTS.items():
        app.command(name)(command)
    app.command("replay")(replay.replay)
    app.command("import")(history.import_)
    app.command("rebuild")(history.rebuild)
    app.add_typer(_group("policy", "The rules that decide every number.", POLICY))
    app.add_typer(_group("sources", "Storefronts.", SOURCES))
    app.add_typer(_group("keys", "Write keys and read tokens.", KEYS))
    app.add_typer(_group("dlq", "Refused events, with their original bytes.", DLQ))
    for name, command in UPKEEP.items():
        app.command(name)(command)
    return app


Commands = Mapping[str, Callable[..., None]]

PARTS: Commands = {
    "ingest": parts.ingest,
    "sessionizer": parts.sessionizer,
    "loader": parts.loader,
    "metrics-api": parts.metrics_api,
}
POLICY: Commands = {
    "show": history.policy_show,
    "check": history.policy_check,
    "try": history.policy_try,
}
SOURCES: Commands = {"ls": catalog.sources_ls, "set": catalog.sources_set}
KEYS: Commands = {
    "create": catalog.keys_create,
    "ls": catalog.keys_ls,
    "revoke": catalog.keys_revoke,
}
DLQ: Commands = {"ls": upkeep.dlq_ls, "show": upkeep.dlq_show, "retry": upkeep.dlq_retry}
UPKEEP: Commands = {
    "forget": upkeep.forget,
    "migrate": upkeep.migrate,
    "backup": upkeep.backup,
    "restore": upkeep.restore,
    "doctor": upkeep.doctor,
    "outgrow": outgrow.outgrow,
}


def _group(name: str, text: str, commands: Commands) -> typer.Typer:
    group = typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode=None)
    for command, function in commands.items():
        group.command(command)(function)
    return group


def main() -> None:
    """Run the command line; the one place where errors become words and a status."""
    try:
        build()()
    except WaymarkError as error:
        say.err(f"waymark: {error}")
        sys.exit(LATER if isinstance(error, RetryableError) else WRONG)
