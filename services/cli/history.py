"""``waymark import``, ``rebuild`` and ``policy``: history and rules."""

import contextlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tomli_w
import typer

from services.cli import say
from services.cli.options import (
    Data,
    Files,
    Format,
    From,
    Json,
    Source,
    To,
    check_file,
    time_ms,
)
from services.cli.remote import call, settings_of
from services.common.policy_file import parse_policy, policy_of, read_policy
from services.formats.registry import format_named
from services.standalone.folder import Folder

PolicyFile = Annotated[Path, typer.Argument(help="Policy file (TOML).")]
REJECTED = 1


def import_(
    files: Files,
    form: Format = "waymark",
    source: Source = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring history into storage, through the same rules as live events.

    Exit status 1 where lines were rejected; each is named. The rest is stored.

    Example: waymark import october.csv.gz --format rees46
    """
    format_named(form)
    new = _new_folder(data)
    for file in files:
        check_file("file", file)
    results = []
    for file in files:
        results.append(_import(file, form, source, data))
        if not json:  # at once: the next may be refused
            _tell_import(file, results[-1])
    if json:
        say.as_json(results)
    if new:
        say.err(f"into the new data folder {new}: if another was meant, import there with --data")
    if any(result["rejected"] for result in results):
        raise typer.Exit(REJECTED)


def _new_folder(data: str | None) -> Path | None:
    """Return the data folder where this import is the first to be at work there."""
    settings = settings_of(data=data)
    folder = Folder(settings.data)
    with contextlib.suppress(OSError):  # the import itself says what is wrong with it
        if not (settings.kafka or folder.begun()):
            return folder.root.absolute()
    return None


def _import(file: Path, form: str, source: str | None, data: str | None) -> dict[str, Any]:
    result: dict[str, Any] = call(
        "import", data, file=str(file.resolve()), format=form, source=source
    )
    return result


def _tell_import(file: Path, result: dict[str, Any]) -> None:
    tables = result["rebuilt"]["tables"]
    rows = ", ".join(
        f"{change['new'] + change['changed']} {name}"
        for name, change in tables.items()
        if name != "event_flags"
    )
    say.out(f"{file}: {result['events']} events into source {result['source']}; wrote {rows}")
    for one in result["named"]:
        at = f" {one['field']}:" if one["field"] else ""
        say.err(f"{file}, line {one['line']}:{at} {one['message']}")
    if result["rejected"]:
        more = result["rejected"] - len(result["named"])
        rest = f", {more} of them not named" if more else ""
        say.err(f"{file}: {result['rejected']} rejected{rest}")
    if result["note"]:
        say.err(f"{file}: {result['note']}")


def rebuild(
    from_: From = None,
    to: To = None,
    policy: Annotated[Path | None, typer.Option(help="Rules to use instead (TOML).")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
    source: Source = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Recompute sessions, carts, orders and signals from stored events.

    Example: waymark rebuild --from now-7d --dry-run
    """
    result = call(
        "rebuild",
        data,
        source=source,
        from_ms=time_ms("--from", from_),
        to_ms=time_ms("--to", to),
        policy=_checked(policy) if policy else None,
        policy_name=str(policy) if policy else None,
        dry_run=dry_run or None,
    )
    if json:
        say.as_json(result)
        return
    unwritten = "; nothing was written" if dry_run else ""
    say.out(f"source {result['source']}: {result['events']} events folded{unwritten}")
    if result["note"]:
        say.err(result["note"])
    rows = [{"table": name, **change} for name, change in result["tables"].items()]
    say.table(rows, json=False, empty="")


def policy_show(json: Json = False) -> None:
    """Show the installation's rules whole, as a policy file (TOML) to start from.

    Example: waymark policy show > policy.toml
    """
    file = settings_of().policy
    policy = policy_of(file)
    if json:
        say.as_json(policy)
    else:
        say.out(tomli_w.dumps(msgspec.to_builtins(policy)).rstrip())


def policy_check(file: PolicyFile) -> None:
    """Read a policy file and say what is wrong with it, or that nothing is.

    Example: waymark policy check policy.toml
    """
    policy = read_policy(file)
    say.out(f"{file}: version {policy.version} is good")


def policy_try(
    file: PolicyFile,
    from_: From = None,
    to: To = None,
    source: Source = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Recompute yesterday under other rules and show both; nothing is written.

    Example: waymark policy try stricter.toml --from now-7d
    """
    result = call(
        "policy.try",
        data,
        source=source,
        policy=_checked(file),
        policy_name=str(file),
        from_ms=time_ms("--from", from_),
        to_ms=time_ms("--to", to),
    )
    if json:
        say.as_json(result)
        return
    between = f"between {say.when(result['from_ms'])} and {say.when(result['to_ms'])}"
    say.out(
        f"source {result['source']}: {result['events']} events of the visitors seen {between}, "
        "under both rules"
    )
    if result["note"]:
        say.err(result["note"])
    say.table(_sides(result["now"], result["tried"]), json=False, empty="")


def _checked(file: Path) -> str:
    """Return a policy file's text, read once (it may be a pipe); refuse it where it is wrong."""
    check_file("policy file", file, pipe=True)
    text = file.read_text("utf-8")
    parse_policy(text, str(file))
    return text


def _sides(now: dict[str, Any], tried: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("sessions", "orders", "carts_resolved")
    rows = [{"what": name, "now": now[name], "tried": tried[name]} for name in names]
    for rate, k, n in (
        ("bounce_rate", "bounced", "bounce_of"),
        ("cart_abandonment_rate", "carts_abandoned", "carts_resolved"),
    ):
        rows.append({"what": rate, "now": _rate(now, k, n), "tried": _rate(tried, k, n)})
    for kind in ("stages", "signals"):
        for name in sorted({*now[kind], *tried[kind]}):
            sides = {"now": now[kind].get(name, 0), "tried": tried[kind].get(name, 0)}
            rows.append({"what": f"{kind}: {name}"} | sides)
    return rows


def _rate(side: dict[str, Any], k: str, n: str) -> str:
    return f"{side[k] / side[n]:.4f}" if side[n] else "-"
