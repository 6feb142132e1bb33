"""Makes the peers ready, once: a Python environment, the Java program, the Go programs.

All of it lies in a folder that git does not know. A tool that this machine lacks leaves its peer
out, with the reason on the screen.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kafka.bench import say

HERE = Path(__file__).parent
PEERS = HERE / "peers.txt"
STREAMS = HERE / "streams"
REFERENCE = HERE / "reference_go"


class NeedsError(Exception):
    """This machine lacks what a peer needs; the message names it."""


def python_peers(cache: Path) -> Path:
    """Return the interpreter of the environment with the peers written in Python."""
    folder = cache / f"peers-{_mark([PEERS])}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        say(f"installing the peers of {PEERS.name} into an environment of their own")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "-q", "-r", str(PEERS)])
        (folder / "ready").touch()
    return python


def streams(cache: Path) -> str:
    """Return the class path of the Kafka Streams program."""
    _need("java", "javac", "mvn")
    source = STREAMS / "Visits.java"
    folder = cache / f"streams-{_mark([source, STREAMS / 'pom.xml'])}"
    libs = f"{folder}/libs/*"
    if not (folder / "ready").exists():
        say("fetching Kafka Streams and compiling its program")
        pom = ["mvn", "-q", "-B", "-f", str(STREAMS / "pom.xml")]
        _run([*pom, "dependency:copy-dependencies", f"-DoutputDirectory={folder}/libs"])
        _run(["javac", "-cp", libs, "-d", str(folder / "classes"), str(source)])
        (folder / "ready").touch()
    return f"{folder}/classes:{libs}"


def reference(cache: Path) -> Path:
    """Return the folder with the Go programs: ``server`` (the reference) and ``load``."""
    _need("go")
    sources = sorted(path for path in REFERENCE.rglob("*") if path.is_file())
    folder = cache / f"go-{_mark(sources)}"
    if not (folder / "ready").exists():
        say("building the Go reference and the load generator")
        folder.mkdir(parents=True, exist_ok=True)
        _run(["go", "build", "-o", f"{folder}/", "./server", "./load"], REFERENCE)
        (folder / "ready").touch()
    return folder


def _need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            raise NeedsError(f"skipped: {tool} is not on this machine")


def _mark(files: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [""]
        raise NeedsError(f"skipped: {command[0]} failed: {lines[-1][:200]}")
