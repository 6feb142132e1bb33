"""An ingest process whose wall clock can be set: a library preloaded, made from ``step.c``."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.city import City
from tests.chaos.part import Process

SOURCE = Path(__file__).with_name("step.c")


class SteppedIngest(Process):
    """``waymark ingest`` on a host whose clock is off by what was last said."""

    def __init__(self, made: City, library: Path, port: int) -> None:
        self._file = made.folder / "off"
        self.step(0)
        order = [sys.executable, "-c", "from services.cli.main import main; main()", "ingest"]
        environ = {"LD_PRELOAD": str(library), "STEP_FILE": str(self._file)}
        environ |= made.environ("ingest", port)
        super().__init__("ingest", port, order, made.folder / "ingest.txt", **environ)

    def step(self, off_ms: int) -> None:
        """Set the host's clock so far off the truth, at once."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", off_ms))


def library(folder: Path) -> Path:
    """Return the library, compiled here, or skip where nothing compiles."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler (or not Linux): another process's clock cannot be set")
    made = folder / "step.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(made)]
    subprocess.run([*command, str(SOURCE)], check=True)
    return made
