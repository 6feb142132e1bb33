"""What is printed once all answer: where everything is, and lines that work as pasted."""

from collections.abc import Mapping
from pathlib import Path

from deploy.distributed.parts import SOURCE, Keys, Ports
from services.common.shown import HIDDEN, for_shell

EXAMPLE = '{"type":"page_view","visitor_id":"me","url":"https://shop.example/"}'
REACH = ("WAYMARK_KAFKA", "WAYMARK_CLICKHOUSE", "WAYMARK_POLICY")
"""What the names of the settings begin with that a command needs: to reach the installation, and to
fold as its workers do."""


def commands_settings(shared: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return the settings of a command in another shell, which has none of ``environ``'s."""
    given = {name: value for name, value in environ.items() if name.startswith(REACH)}
    return for_shell(given | dict(shared))


def banner(
    ports: Ports, keys: Keys, shared: Mapping[str, str], folder: Path, environ: Mapping[str, str]
) -> str:
    """Return the text; of secrets it has only the keys that the runner itself has made."""
    ingest, reads = (f"http://127.0.0.1:{port}" for port in (ports.ingest, ports.metrics_api))
    settings = commands_settings(shared, environ)
    hidden = f" (with your own for each {HIDDEN})" if HIDDEN in settings else ""
    workers = " ".join(f"http://127.0.0.1:{port}/metrics" for port in ports.sessionizers)
    return f"""
Waymark is running, every part a process of its own, on {folder}
  events       {ingest}/v1/events  (POST)
  page         {reads}/
  API          {reads}/docs
  workers      {workers}
  loader       http://127.0.0.1:{ports.loader}/metrics
  Kafka        {shared["WAYMARK_KAFKA"]}
  logs         {folder / "logs"}

  write key of source {SOURCE}: {keys.write}
  read token: {keys.read} (reads need none on loopback)

Try it:
  curl -sS {ingest}/v1/events -H 'Authorization: Bearer {keys.write}' \
-H 'Content-Type: application/json' -d '{EXAMPLE}'
  curl -sS '{reads}/v1/visitors/me?source={SOURCE}'
The command line works on it in another shell{hidden}, for example:
  {settings} .venv/bin/waymark doctor
Stop with Ctrl-C.
"""
