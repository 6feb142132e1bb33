"""A host whose wall clock can be set, by a library made of ``step.c`` and preloaded there."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("step.c")


class HostClock:
    """The wall clock of whatever is started under ``environ``, as far off as was last said."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.environ = {"LD_PRELOAD": str(library), "STEP_FILE": str(file)}
        self.step(0)

    def step(self, off_ms: int) -> None:
        """Set the clock so far off the truth, at once."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", off_ms))


def host_clock(folder: Path) -> HostClock | None:
    """Return a clock of this folder, its library compiled here; None where nothing compiles."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    made = folder / "step.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(made)]
    subprocess.run([*command, str(SOURCE)], check=True)
    return HostClock(made, folder / "off")
