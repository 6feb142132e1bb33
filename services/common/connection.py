"""One HTTP connection: uvicorn's, but what it cannot read is refused in the one shape."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from services.common.answers import refusal

UNREADABLE: Final = "no HTTP request that can be read; a URL has 64 KB at most"


class Connection(HttpToolsProtocol):
    """The protocol of one connection."""

    def data_received(self, data: bytes) -> None:
        """Take what came; where no answer is owed after it, wait for more no longer than between.

        The server itself stops that clock with the first byte, so that a client that leaves in the
        middle of a head, or of a body whose request is answered already, would stay for ever.
        """
        super().data_received(data)
        ends = self.timeout_keep_alive_task is not None or self.transport.is_closing()
        if not (ends or self.busy()):
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def busy(self) -> bool:
        """Tell whether a request is under way."""
        return bool(self.cycle) and not self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and end the connection: where the next begins is not known."""
        del msg  # which says less
        answer = refusal(400, "invalid_request", UNREADABLE, {"Connection": "close"})
        heads = (b"%b: %b\r\n" % one for one in answer.raw_headers)
        self.transport.write(b"".join((STATUS_LINE[400], *heads, b"\r\n", bytes(answer.body))))
        self.transport.close()

    def on_response_complete(self) -> None:
        """Go on with what was sent behind this request; read no more before all of it is answered.

        The server itself reads on with each answer, so that what one client sends ahead piles up.
        """
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
