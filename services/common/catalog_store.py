"""What the catalog stands on: rows in and out, nothing of what they mean.

Two of them: a SQLite file of one installation (``catalog_file``), and a compacted topic that every
part of a distributed one follows (``catalog_topic``).
"""

from typing import Protocol


class CatalogStore(Protocol):
    """Rows of the catalog. Writes are durable on return, else ``UnavailableError``."""

    def close(self) -> None:
        """Let go of what is open."""
        ...

    def digest(self, secret: str | bytes) -> bytes:
        """Return the secret as it is kept: useless without the installation's pepper."""
        ...

    def changes(self) -> int:
        """Return a number that moves when someone else has changed the rows."""
        ...

    def marked(self, name: str) -> bool:
        """Tell whether a fact has been noted."""
        ...

    def mark(self, name: str) -> None:
        """Note a fact."""
        ...

    def sources(self) -> list[bytes]:
        """Return every source's body, by name."""
        ...

    def put_source(self, name: str, body: bytes) -> None:
        """Make or replace a source."""
        ...

    def secrets(self, role: str) -> list[tuple[bytes, bytes, int | None]]:
        """Return digest, body and time of revocation of each key or token, oldest first."""
        ...

    def put_secret(self, role: str, secret_id: str, digest: bytes, body: bytes) -> None:
        """Keep a new key or token."""
        ...

    def revoke(self, role: str, secret_id: str, at_ms: int) -> bool:
        """Make a key or token useless; tell whether there is one. Repeating keeps the time."""
        ...

    def salts(self, day: int) -> dict[int, bytes]:
        """Return the salts of the day and, where it is kept, the one before."""
        ...
