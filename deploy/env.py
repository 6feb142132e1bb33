"""``make env``: write the ``.env`` that ``docker compose`` reads, with random passwords and keys.

An existing file is left as it is: the passwords in it are those that the stores were made with.
"""

import os
import secrets
import sys
from pathlib import Path

SECRETS = {
    "CLICKHOUSE_PASSWORD": "",
    "WRITE_KEY": "wk_",
    "READ_TOKEN": "rt_",
    "GRAFANA_PASSWORD": "",
}
"""Each name that docker-compose.yml asks for, and what its value begins with."""

HEAD = """\
# Written by `make env`; read by `docker compose`. Secret: for your eyes alone, and git ignores it.
# Beside these: BIND (address to publish on, else 127.0.0.1), SOURCE (storefront of WRITE_KEY, else
# shop), PARTITIONS (of the log, fixed at the first start, else 64).
"""


def render() -> str:
    """Return the file's text with fresh values, safe inside a URL and a shell."""
    lines = [f"{name}={start}{secrets.token_hex(24)}\n" for name, start in SECRETS.items()]
    return HEAD + "".join(lines)


def write(path: Path) -> bool:
    """Write the file, readable by its owner alone; tell whether there was none before."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(render())
    return True


def main(path: Path = Path(".env")) -> int:
    """Write the file and say what to do next."""
    if write(path):
        print(f"{path} is written; now: docker compose up --build")
    else:
        print(
            f"{path} is there already and stays; remove it for new passwords, and the volumes too"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
