"""What ingest answers: the closed list of refusals, and the messages that carry an answer."""

from typing import Literal

import msgspec
from msgspec import Struct

from services.common.errors import RETRY_AFTER_S
from services.common.hosts import Message, Send

Code = Literal[
    "invalid_body",
    "invalid_parameter",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "timeout",
    "too_large",
    "unsupported_media_type",
    "overloaded",
    "internal",
    "unavailable",
]

STATUS: dict[Code, int] = {
    "invalid_body": 400,
    "invalid_parameter": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "too_large": 413,
    "unsupported_media_type": 415,
    "overloaded": 429,
    "internal": 500,
    "unavailable": 503,
}
"""Code to HTTP status; clients act on these (docs: what each SDK does with them)."""

Header = tuple[bytes, bytes]
JSON: Header = (b"content-type", b"application/json")


class Answer(Struct, frozen=True):
    """A whole answer; ``code`` is empty where nothing was refused."""

    status: int
    body: bytes
    code: Code | Literal[""] = ""
    headers: tuple[Header, ...] = ()


class RefusalError(Exception):
    """The whole request is refused; ``headers`` go with the answer."""

    def __init__(self, code: Code, message: str, headers: tuple[Header, ...] = ()) -> None:
        """Name the reason; ``message`` tells the caller what to change, never a secret."""
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.headers = headers

    def answer(self) -> Answer:
        """Return the answer that tells it."""
        body = msgspec.json.encode({"code": self.code, "message": self.message})
        return Answer(STATUS[self.code], body, self.code, self.headers)


def retry_later(code: Literal["overloaded", "unavailable"], message: str) -> RefusalError:
    """Return a refusal that asks the client to keep what it has and come again."""
    return RefusalError(code, message, ((b"retry-after", str(RETRY_AFTER_S).encode()),))


async def reply(send: Send, answer: Answer, headers: tuple[Header, ...] = ()) -> None:
    """Send an answer whole, with further headers."""
    start: Message = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": [*heads(answer), *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})


def heads(answer: Answer) -> list[Header]:
    """Return an answer's headers: what its body is, and its own."""
    return [JSON, (b"content-length", str(len(answer.body)).encode()), *answer.headers]
