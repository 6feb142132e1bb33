"""The broker's libraries: fetched once by Maven into a folder that every process here shares.

Several processes may want them at the same moment: one fetches under a lock, into a folder of its
own name, which a rename then makes the real one. So a folder that is there is whole.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
CACHE = HERE.parents[1] / ".kafka"
"""Inside the project, ignored by git: libraries, and the data of ``make kafka``."""
FETCH_SECONDS = 600


class MissingError(RuntimeError):
    """What a broker needs is not on this machine; the message says what, and what to do."""


def libraries() -> Path:
    """Return the folder with the libraries, fetched where they are not there yet.

    Raises ``MissingError`` where Java, or Maven for a first fetch, is not on this machine.
    """
    if shutil.which("java") is None:
        raise MissingError("Java is not on this machine: install a Java 17 runtime")
    folder = CACHE / f"libs-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise MissingError("Maven is not on this machine, which fetches Kafka: install it")
    beside = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={beside}"],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    if done.returncode:
        raise MissingError(f"Maven could not fetch Kafka:\n{(done.stdout + done.stderr)[-2000:]}")
    beside.rename(folder)
