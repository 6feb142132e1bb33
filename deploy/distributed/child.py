"""One process that the runner started: its log, whether it answers, and its end, by its own id."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

START_SECONDS = 120.0
STOP_SECONDS = 30.0
WORDS = 3_000
"""Characters of a log's end that are shown where its process ended."""


class EndedError(RuntimeError):
    """A process ended, or did not begin to answer; the message has its last words."""


class Child:
    """A command in a session of its own, so that Ctrl-C is the runner's to answer, in order."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        log: Path,
        ready: str,
        *,
        token: str = "",
    ) -> None:
        """Describe it; ``ready`` is the URL that answers 200, to a token, once it may be used."""
        self.name = name
        self.ready = ready
        self._token = token
        self.log = log
        self.started: list[float] = []
        self._command = list(command)
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return its process id, 0 while it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it without waiting."""
        self.started.append(time.monotonic())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=os.environ | self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until it answers; raises ``EndedError`` where it ends instead, or takes too long."""
        until = time.monotonic() + START_SECONDS
        while not _answers(self.ready, self._token):
            if self.ended():
                raise EndedError(f"{self.name} ended:\n{self.last_words()}")
            if time.monotonic() > until:
                raise EndedError(
                    f"{self.name} does not answer at {self.ready}:\n{self.last_words()}"
                )
            time.sleep(0.2)
        if self.ended():  # then somebody else answers there
            raise EndedError(f"{self.name} ended:\n{self.last_words()}")

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """End it in good order; kill it where that takes too long."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-WORDS:] if self.log.exists() else ""


def _answers(url: str, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback, ours
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 - as above
            return int(answer.status) == 200  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False
