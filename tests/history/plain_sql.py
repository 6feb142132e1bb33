"""Plain SQL over the raw rows of the REES46 file, by an engine that shares no line with ours.

Run as a program (``python plain_sql.py FILE SQL``), for the engine speaks up when a process that
has loaded it ends, and that is not the test run's to say. ``raw`` is the table.
"""

import csv
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COLUMNS = 9


def ask(file: Path, sql: str) -> list[list[Any]]:
    """Return the rows of a statement over ``raw`` (event_time, event_type, user_id, price)."""
    done = subprocess.run(
        [sys.executable, __file__, str(file), sql], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows: list[list[Any]] = json.loads(done.stdout)
    return rows


def _answer(file: Path, sql: str, folder: Path) -> list[tuple[Any, ...]]:
    import duckdb  # noqa: PLC0415 - see the head

    whole = folder / "whole.csv"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as source:
        lines = [row for row in csv.reader(source) if len(row) == COLUMNS]
    with whole.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(lines)
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE raw AS SELECT strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') AS event_time"
            ", event_type, user_id, CAST(price AS DECIMAL(18,2)) AS price "
            f"FROM read_csv('{whole}', header=true, all_varchar=true)"
        )
        return db.execute(sql).fetchall()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = _answer(Path(sys.argv[1]), sys.argv[2], Path(made))
    print(json.dumps(found, default=float))  # noqa: T201 - its answer
