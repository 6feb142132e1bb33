"""The catalog: sources, write keys, read tokens and daily salts of an installation.

Secrets are kept as keyed digests under a pepper of the installation and compared in constant
time; they are random and long, so a deliberately slow hash would only slow the hot path. Look-ups
are answered from a snapshot in memory, made anew at once when this process changes the catalog and
within ``FRESH_S`` when another one does.
"""

import hmac
import re
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import available_timezones

import msgspec

from schemas.money import exponents
from schemas.spans import DAY_MS
from services.common.catalog_file import CatalogFile
from services.common.catalog_rows import (
    SHORT_TIMES,
    FirstStart,
    Grant,
    Key,
    KeyKind,
    Salts,
    Source,
    Token,
)
from services.common.catalog_snapshot import Snapshot, rows_of, taken
from services.common.catalog_store import CatalogStore
from services.common.errors import InvalidError
from services.common.ports import Clock

FRESH_S = 0.1
DEFAULT_SOURCE = "shop"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}", re.IGNORECASE)
ORIGIN = re.compile(r"\*|https?://[^/\s,]+", re.IGNORECASE)


class Catalog:
    """Sources, keys, tokens and salts. Safe to use from several threads and processes."""

    def __init__(
        self,
        store: Path | CatalogStore,
        clock: Clock,
        write_keys: Sequence[str] = (),
        read_tokens: Sequence[str] = (),
    ) -> None:
        """Open or create the file, or stand on a store; settings' keys count beside its own.

        ``write_keys`` are ``source=key``, ``read_tokens`` ``token`` or ``token:source``; a source
        they name is made where it does not exist.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._file: CatalogStore = CatalogFile(store) if isinstance(store, Path) else store
        self._salts: Salts | None = None
        self._keys = [text.partition("=")[::2] for text in write_keys]
        self._tokens = [text.partition(":")[::2] for text in read_tokens]
        self._seen, self._checked, self._snapshot = self._load()
        for name in dict.fromkeys([*dict(self._keys), *filter(None, dict(self._tokens).values())]):
            if name not in self._snapshot.sources:
                self.put_source(Source(name=name))

    def close(self) -> None:
        """Close the file; nothing may be called afterwards."""
        self._file.close()

    def first_start(self) -> FirstStart | None:
        """Make what a new installation needs; None where it has been made before."""
        if self._file.marked("started"):
            return None
        name = next((name for name, _ in self._keys), DEFAULT_SOURCE)
        if not self.source(name):
            self.put_source(Source(name=name))
        key = None if self._keys else self.create_key(name)[1]
        token = None if self._tokens else self.create_token()[1]
        self._file.mark("started")
        return FirstStart(name, key, token)

    # -- sources

    def sources(self) -> list[Source]:
        """Return every source by name."""
        return list(self._fresh().sources.values())

    def source(self, name: str) -> Source | None:
        """Return one source."""
        return self._fresh().sources.get(name)

    def put_source(self, source: Source) -> Source:
        """Make or replace a source; raises ``InvalidError`` naming a field that cannot be."""
        _check(source)
        if not source.created_ms:
            source = msgspec.structs.replace(source, created_ms=self._clock.now_ms())
        self._file.put_source(source.name, msgspec.json.encode(source))
        self._reload()
        return source

    def note_server_order(self, name: str) -> None:
        """Remember that a server key of the source reports orders."""
        source = self.source(name)
        if source and not source.server_orders:
            self.put_source(msgspec.structs.replace(source, server_orders=True))

    # -- write keys

    def create_key(
        self, source: str, kind: KeyKind = "server", origins: Sequence[str] = ()
    ) -> tuple[Key, str]:
        """Make a write key and return it with its secret, which is never shown again.

        A test key writes into ``SOURCE-test``, made with short times where it does not exist.
        Raises ``InvalidError`` for a source that does not exist, and for origins that a key of
        this kind lacks or cannot have.
        """
        found = self._named(source)
        if kind == "browser" and not origins:
            raise InvalidError(
                f"browser key of {source}: name its origins (--origin), or * for any"
            )
        if kind == "server" and origins:
            raise InvalidError(f"server key of {source}: it is a secret and has no origins")
        if kind == "test" and not found.test:
            found = self._test_source(found)
        key = Key(
            id=secrets.token_hex(4),
            source=found.name,
            kind=kind,
            origins=tuple(_origin(origin) for origin in origins),
            created_ms=self._clock.now_ms(),
        )
        return key, self._keep("key", key, f"wk_{secrets.token_urlsafe(24)}")

    def write_keys(self) -> list[Key]:
        """Return the stored write keys, revoked ones too, oldest first."""
        return rows_of(self._file.secrets("key"), Key)

    def has_keys(self) -> bool:
        """Tell whether any write key counts now, a stored one or one of the settings."""
        return bool(self._fresh().grants)

    def revoke_key(self, key_id: str) -> None:
        """Make a key useless from now on; raises ``InvalidError`` where there is none."""
        self._revoke("key", key_id)

    def grant(self, secret: str | bytes) -> Grant | None:
        """Return what a write key allows, None where it is unknown or revoked."""
        snapshot = self._fresh()
        seen = snapshot.seen.get(secret)
        if seen is not None:
            return seen
        digest = self._file.digest(secret)
        known, grant = snapshot.grants.get(digest, (b"", None))
        if grant is None or not hmac.compare_digest(known, digest):
            return None
        snapshot.seen[secret] = grant
        return grant

    def allows_origin(self, origin: str) -> bool:
        """Tell whether some browser key accepts the origin: all that a preflight can ask."""
        origins = self._fresh().origins
        return "*" in origins or origin.lower() in origins

    # -- read tokens

    def create_token(self, source: str | None = None) -> tuple[Token, str]:
        """Make a read token, of one source or of all, and return it with its secret.

        Raises ``InvalidError`` for a source that does not exist.
        """
        if source is not None:
            self._named(source)
        token = Token(id=secrets.token_hex(4), source=source, created_ms=self._clock.now_ms())
        return token, self._keep("token", token, f"rt_{secrets.token_urlsafe(24)}")

    def read_tokens(self) -> list[Token]:
        """Return the stored read tokens, revoked ones too, oldest first."""
        return rows_of(self._file.secrets("token"), Token)

    def revoke_token(self, token_id: str) -> None:
        """Make a token useless from now on; raises ``InvalidError`` where there is none."""
        self._revoke("token", token_id)

    def reads(self, secret: str | bytes) -> Token | None:
        """Return what a read token allows, None where it is unknown or revoked."""
        digest = self._file.digest(secret)
        known, token = self._fresh().tokens.get(digest, (b"", None))
        return token if hmac.compare_digest(known, digest) else None

    # -- salts

    def salts(self, now_ms: int) -> Salts:
        """Return the salts as of a time; older ones than yesterday's are destroyed."""
        day = now_ms // DAY_MS
        if self._salts is None or self._salts.day != day:
            found = self._file.salts(day)
            self._salts = Salts(day, found[day], found.get(day - 1))
        return self._salts

    # -- the snapshot

    def _fresh(self) -> Snapshot:
        now = time.monotonic()
        if now - self._checked > FRESH_S:
            self._checked = now
            if self._file.changes() != self._seen:
                self._reload()
        return self._snapshot

    def _reload(self) -> None:
        with self._lock:
            self._seen, self._checked, self._snapshot = self._load()

    def _load(self) -> tuple[int, float, Snapshot]:
        seen, checked = self._file.changes(), time.monotonic()
        return seen, checked, taken(self._file, self._keys, self._tokens)

    def _named(self, name: str) -> Source:
        found = self.source(name)
        if found is None:
            known = ", ".join(source.name for source in self.sources())
            raise InvalidError(
                f"source {name!r} does not exist; there are: {known} "
                "(`waymark sources set NAME` makes one)"
            )
        return found

    def _test_source(self, of: Source) -> Source:
        name = f"{of.name}-test"
        made = msgspec.structs.replace(
            of, name=name, test=True, demo=False, policy=SHORT_TIMES, created_ms=0
        )
        return self.source(name) or self.put_source(made)

    def _keep(self, role: str, row: Key | Token, secret: str) -> str:
        digest = self._file.digest(secret)
        self._file.put_secret(role, row.id, digest, msgspec.json.encode(row))
        self._reload()
        return secret

    def _revoke(self, role: str, secret_id: str) -> None:
        if not self._file.revoke(role, secret_id, self._clock.now_ms()):
            raise InvalidError(f"there is no {role} {secret_id!r}")
        self._reload()


def _origin(text: str) -> str:
    if not ORIGIN.fullmatch(text):
        raise InvalidError(f"origin {text!r}: write it as https://shop.example, or * for any")
    return text.lower()


def _check(source: Source) -> None:
    if not NAME.fullmatch(source.name):
        raise InvalidError(f"source name {source.name!r}: letters, digits, _ . - only, at most 63")
    if source.timezone not in available_timezones():
        raise InvalidError(f"time zone {source.timezone!r} of source {source.name} is unknown")
    if source.currency not in exponents():
        raise InvalidError(
            f"currency {source.currency!r} of source {source.name} is no ISO 4217 code in use"
        )
