"""``make env``: write the ``.env`` that ``docker compose`` reads, with random passwords and keys.

What an existing file says stays: the passwords in it are those that the stores were made with. Only
names that it lacks, which a newer release asks for, are added.
"""

import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

SECRETS = {
    "CLICKHOUSE_OWNER_PASSWORD": "",
    "CLICKHOUSE_LOADER_PASSWORD": "",
    "CLICKHOUSE_READER_PASSWORD": "",
    "CLICKHOUSE_ERASER_PASSWORD": "",
    "WRITE_KEY": "wk_",
    "READ_TOKEN": "rt_",
    "GRAFANA_PASSWORD": "",
}
"""Each name that docker-compose.yml asks for, and what its value begins with."""

HEAD = """\
# Written by `make env`; read by `docker compose`. Secret: for your eyes alone, and git ignores it.
# Beside these: BIND (address to publish on, else 127.0.0.1), SOURCE (storefront of WRITE_KEY, else
# shop), PARTITIONS (of the log, fixed at the first start, else 64), TRUSTED_PROXIES (networks of
# proxies in front, else none).
"""


def render(names: Iterable[str] = SECRETS) -> str:
    """Return a line for each name with a fresh value, safe inside a URL and a shell."""
    return "".join(f"{name}={SECRETS[name]}{secrets.token_hex(24)}\n" for name in names)


def write(path: Path) -> list[str]:
    """Make the file, readable by its owner alone, or add what it lacks; return the names added."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+") as file:
        before = file.read()
        there = {line.partition("=")[0] for line in before.splitlines()}
        missing = [name for name in SECRETS if name not in there]
        if missing:
            file.write(
                (HEAD if not before else "" if before.endswith("\n") else "\n") + render(missing)
            )
    return missing


def main(path: Path = Path(".env")) -> int:
    """Write the file and say what to do next."""
    added = write(path)
    if len(added) == len(SECRETS):
        print(f"{path} is written; now: docker compose up --build")
    elif added:
        print(f"{path} stays, with new values for {', '.join(added)}")
    else:
        print(
            f"{path} is there already and stays; remove it for new passwords, and the volumes too"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
