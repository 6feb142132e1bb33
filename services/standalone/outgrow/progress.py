"""How far the move of a folder has come: a small file in it, so that it can be taken up again."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct, field

from services.common.errors import InvalidError


class Done(Struct):
    """What has arrived. ``to`` names the target; ``portions`` are parts of tables (table/month).

    ``naming`` and ``writing``: some keys or states may be there, from a try that was cut short.
    """

    to: str
    portions: set[str] = field(default_factory=set)
    naming: bool = False
    writing: bool = False
    states: bool = False
    catalog: bool = False
    finished_ms: int = 0


class Progress:
    """The file, written anew after each portion."""

    def __init__(self, path: Path, to: str) -> None:
        """Read it, or begin it; raises ``InvalidError`` where it tells of another target."""
        self._path = path
        self.done = self._read() or Done(to)
        if self.done.to != to:
            raise InvalidError(
                f"{path} tells that this folder began to move to {self.done.to}, not to {to}: go "
                "on with that one, or remove the file to begin anew (the folder itself is whole)"
            )

    def _read(self) -> Done | None:
        if not self._path.exists():
            return None
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Done)
        except msgspec.MsgspecError as error:
            raise InvalidError(f"{self._path} cannot be read: {error}") from error

    def save(self) -> None:
        """Write what is done, whole or not at all."""
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self.done)))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
