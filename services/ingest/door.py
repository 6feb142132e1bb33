"""Requests turned away at the connection, before anything is made for them.

Where twice as many come as can be served, most of the loop's time goes to those who are refused:
through the server, a task and the application a refusal costs 75 µs where taking an event costs
190, which left two fifths of what can be served. Here the same answer is written as soon as the
head of a request is read (docs/adr/0022-turned-away-at-the-door.md).
"""

from functools import cache
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from services.common.connection import Connection
from services.ingest.answers import Answer, heads
from services.ingest.app import PATHS
from services.ingest.gate import Gate

EVENTS: Final = frozenset(path.encode() for path in PATHS)
CLOSE: Final = b"connection: close\r\n"


def door(gate: Gate) -> type[Connection]:
    """Return the server's protocol of a connection, with this gate at its door."""

    class Door(_Door):
        pass

    Door.gate = gate
    return Door


class _Door(Connection):
    gate: ClassVar[Gate]

    def on_headers_complete(self) -> None:
        if self._may_be_turned_away() and (refused := self._refusal()) is not None:
            self._turn_away(refused)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        # Without a cycle all before were turned away; a complete one passes bodies over itself.
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.cycle is not None:
            super().on_message_complete()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not (self.busy() or self.transport.is_closing()):
            self.flow.resume_reading()

    def _may_be_turned_away(self) -> bool:
        # One sent behind another waits for its turn, as ever.
        return not self.busy() and _brings_events(self)

    def _refusal(self) -> Answer | None:
        try:
            return self.gate.refusal()
        except Exception:  # noqa: BLE001 - asked again in the application, which tells and logs it
            return None  # raised here, the parser would call it a bad request, which nobody repeats

    def _turn_away(self, refused: Answer) -> None:
        stays = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        dated = (b"%b: %b\r\n" % one for one in self.server_state.default_headers)
        ends = b"\r\n" if stays else CLOSE + b"\r\n"
        self.transport.write(b"".join((_begun(refused), *dated, ends, refused.body)))
        if not stays:
            self.transport.close()
            return
        self.on_response_complete()
        if self.flow.write_paused:  # whoever reads no answers is asked nothing more
            self.flow.pause_reading()


def _brings_events(asked: Connection) -> bool:
    """Tell whether a request is one that the gate in the application would stand before."""
    return (
        asked.parser.get_method() == b"POST"
        and asked.url.partition(b"?")[0] in EVENTS
        and not asked.parser.should_upgrade()
    )


@cache
def _begun(refused: Answer) -> bytes:
    """Return the status line of an answer and its own headers; there are two such answers."""
    lines = (b"%b: %b\r\n" % one for one in heads(refused))
    return b"".join((STATUS_LINE[refused.status], *lines))
