"""The catalog as of one moment, made of what its store holds and of the settings' own keys."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from services.common.catalog_rows import Grant, Key, Source, Token
from services.common.catalog_store import CatalogStore

S = TypeVar("S", Key, Token)


class Snapshot(Struct, frozen=True):
    """What the catalog says; what a secret allows is found by its digest."""

    sources: dict[str, Source]
    grants: dict[bytes, tuple[bytes, Grant]]
    tokens: dict[bytes, tuple[bytes, Token]]
    origins: frozenset[str]
    seen: dict[str | bytes, Grant] = {}
    """What keys seen valid allow, so that a request costs no digest; gone with the snapshot.

    A look-up compares texts only where their hashes, keyed anew for each process, are equal whole:
    how long it takes tells nothing of how much of a key was right.
    """


def taken(
    store: CatalogStore, keys: Sequence[tuple[str, str]], tokens: Sequence[tuple[str, str]]
) -> Snapshot:
    """Return the catalog as it is now.

    ``keys`` are (source, secret) and ``tokens`` (secret, source or "") of the settings.
    """
    sources = {
        source.name: source
        for source in (msgspec.json.decode(body, type=Source) for body in store.sources())
    }
    known = _live(store.secrets("key"), Key)
    known += [(store.digest(secret), Key(id="settings", source=name)) for name, secret in keys]
    readers = _live(store.secrets("token"), Token)
    readers += [
        (store.digest(secret), Token(id="settings", source=name or None)) for secret, name in tokens
    ]
    grants = {
        digest: (digest, Grant(key, sources[key.source]))
        for digest, key in known
        if key.source in sources
    }
    origins = frozenset(origin for _, key in known for origin in key.origins)
    held = {digest: (digest, token) for digest, token in readers}
    return Snapshot(sources, grants, held, origins)


def rows_of(stored: list[tuple[bytes, bytes, int | None]], kind: type[S]) -> list[S]:
    """Return stored secrets' rows, revoked ones too, oldest first."""
    return [
        msgspec.structs.replace(msgspec.json.decode(body, type=kind), revoked_ms=revoked_ms)
        for _, body, revoked_ms in stored
    ]


def _live(stored: list[tuple[bytes, bytes, int | None]], kind: type[S]) -> list[tuple[bytes, S]]:
    rows = zip(stored, rows_of(stored, kind), strict=True)
    return [(entry[0], row) for entry, row in rows if row.revoked_ms is None]
