"""What ``waymark run`` prints once it listens: where everything is, and a line that works."""

import shlex

from services.common.catalog_rows import FirstStart
from services.common.settings import Settings

EXAMPLE = '{"type":"page_view","visitor_id":"me","url":"https://shop.example/"}'


def welcome(settings: Settings, url: str, first: FirstStart | None, *, open_reads: bool) -> str:
    """Return the text. Secrets stand in it only at the first start: nobody can show them later."""
    lines = [
        "",
        f"Waymark is running on {settings.data}",
        f"  page      {url}/",
        f"  events    {url}/v1/events  (POST)",
        f"  API       {url}/docs",
        f"  metrics   {url}/metrics",
        f"  reads     {_reads(open_reads=open_reads)}",
        "",
    ]
    key = first.write_key if first else None
    if first and first.write_key:
        lines.append(f"  write key of source {first.source}: {first.write_key}")
    if first and first.read_token:
        lines.append(f"  read token: {first.read_token}")
    if first:
        lines += ["  They are kept hashed and never shown again; `waymark keys` makes others.", ""]
    lines += _try_it(url, key) if key else _try_with_yours(settings, url)
    return "\n".join(lines)


def _reads(*, open_reads: bool) -> str:
    return (
        "open without a token, since only this machine can reach them"
        if open_reads
        else "with `Authorization: Bearer READ_TOKEN`"
    )


def _try_it(url: str, key: str) -> list[str]:
    return ["Try it:", f"  {curl(url, key)}", ""]


def _try_with_yours(settings: Settings, url: str) -> list[str]:
    return [
        "Try it with your write key; a new one is made by",
        f"  waymark keys create SOURCE --data {shlex.quote(str(settings.data))}",
        f"  {curl(url, 'YOUR_WRITE_KEY')}",
        "",
    ]


def curl(url: str, key: str) -> str:
    """Return a line that sends one event and works as pasted into a shell."""
    return (
        f"curl -sS {url}/v1/events -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{EXAMPLE}'"
    )
