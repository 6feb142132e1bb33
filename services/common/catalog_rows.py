"""What the catalog holds: sources, write keys and read tokens, and what a secret grants.

None of these holds a secret: the clear text of a key or token is returned once, when it is made.
"""

from typing import Literal

from msgspec import Struct

KeyKind = Literal["server", "browser", "test"]
"""``server`` is trusted, ``browser`` is public and tied to origins, ``test`` never counts."""

SHORT_TIMES = """\
[session]
gap_ms = 30_000

[cart]
idle_ms = 30_000
checkout_idle_ms = 15_000
recovery_ms = 600_000

[time]
grace_ms = 2_000
"""
"""The policy of a test source: what takes half an hour in a shop shows within a minute."""


class Source(Struct, frozen=True, kw_only=True):
    """One storefront. ``policy`` is TOML text over the installation's policy, None for none.

    ``test`` keeps it out of every metric; ``demo`` marks a simulated shop. ``server_orders`` tells
    that a server key has reported an order, since when orders of browser keys are provisional.
    """

    name: str
    timezone: str = "UTC"
    currency: str = "USD"
    hosts: tuple[str, ...] = ()
    test: bool = False
    demo: bool = False
    policy: str | None = None
    server_orders: bool = False
    created_ms: int = 0


class Key(Struct, frozen=True, kw_only=True):
    """A write key, without its secret. ``origins`` are the web origins a browser key accepts."""

    id: str
    source: str
    kind: KeyKind = "server"
    origins: tuple[str, ...] = ()
    created_ms: int = 0
    revoked_ms: int | None = None


class Token(Struct, frozen=True, kw_only=True):
    """A read token, without its secret. ``source`` is None where it reads every source."""

    id: str
    source: str | None = None
    created_ms: int = 0
    revoked_ms: int | None = None


class Grant(Struct, frozen=True):
    """What a write key allows: to write into its source, and as what."""

    key: Key
    source: Source

    @property
    def provisional(self) -> bool:
        """Tell whether its orders wait for a server's copy (docs/api.md, *Settings*)."""
        return self.key.kind == "browser" and self.source.server_orders

    @property
    def test(self) -> bool:
        """Tell whether its events stay out of every metric."""
        return self.key.kind == "test" or self.source.test


class FirstStart(Struct, frozen=True):
    """The secrets a new catalog made, in clear, to be shown once; None where none was made."""

    source: str
    write_key: str | None
    read_token: str | None


class Salts(Struct, frozen=True):
    """The salts of visitors without consent: today's, and yesterday's while it is kept.

    ``day`` counts UTC days since 1970. Nothing older exists, so older hashes cannot be made again.
    """

    day: int
    today: bytes
    yesterday: bytes | None
