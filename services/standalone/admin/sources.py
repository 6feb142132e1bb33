"""``waymark sources`` and ``waymark keys``: storefronts, their write keys, and read tokens."""

from typing import Any, Protocol

import msgspec

from schemas.money import exponents
from services.common.catalog import DEFAULT_SOURCE, Catalog
from services.common.catalog_rows import Key, Source, Token
from services.common.errors import InvalidError
from services.common.policy_file import parse_policy
from services.common.sites import host_named
from services.standalone.admin.arguments import optional, required
from services.standalone.admin.registry import Command


class WithCatalog(Protocol):
    """What these commands need of their context: an installation of any shape has it."""

    @property
    def catalog(self) -> Catalog:
        """Sources, keys, tokens."""
        ...


def source_named(context: WithCatalog, args: dict[str, Any]) -> Source:
    """Return the source an argument names, or the only one there is beside a demo's.

    A new installation gets the one that ``waymark run`` would make.

    Raises ``InvalidError`` naming the sources where the choice is open.
    """
    name = optional(args, "source", str)
    if name is not None:
        found = context.catalog.source(name)
        if found is None:
            raise InvalidError(
                f"source {name!r} does not exist; there are: {_names(context)} "
                "(`waymark sources set NAME` makes one)"
            )
        return found
    if not context.catalog.sources():
        return context.catalog.put_source(Source(name=DEFAULT_SOURCE))
    choice = [source for source in context.catalog.sources() if not (source.demo or source.test)]
    if len(choice) != 1:
        raise InvalidError(f"source is missing: name one of {_names(context)}")
    return choice[0]


def _names(context: WithCatalog) -> str:
    return ", ".join(source.name for source in context.catalog.sources()) or "none"


def list_sources(context: WithCatalog, _args: dict[str, Any]) -> list[Source]:
    """Return every source."""
    return context.catalog.sources()


def set_source(context: WithCatalog, args: dict[str, Any]) -> dict[str, Any]:
    """Make a source or change what the arguments name of it; ``made`` tells which it was."""
    name = required(args, "name", str)
    known = context.catalog.source(name)
    source = known or Source(name=name)
    changes: dict[str, Any] = {
        field: value
        for field in ("timezone", "currency", "policy")
        if (value := optional(args, field, str)) is not None
    }
    hosts = optional(args, "hosts", list)
    if hosts is not None:
        changes["hosts"] = tuple(host_named(str(host)) for host in hosts)
    if "policy" in changes:
        parse_policy(changes["policy"], f"policy of source {name}")
    currency = changes.get("currency", source.currency)
    if currency not in exponents():
        raise InvalidError(f"currency {currency!r} of source {name} is none of ISO 4217")
    stored = context.catalog.put_source(msgspec.structs.replace(source, **changes))
    row: dict[str, Any] = msgspec.to_builtins(stored)
    return row | {"made": known is None}


def list_keys(context: WithCatalog, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return write keys and read tokens, never their secrets."""
    keys = [_shown(key, key.kind) for key in context.catalog.write_keys()]
    return keys + [_shown(token, "read") for token in context.catalog.read_tokens()]


def create_key(context: WithCatalog, args: dict[str, Any]) -> dict[str, Any]:
    """Make a write key or read token and return it with its secret, this once."""
    kind = optional(args, "kind", str) or "server"
    made: Key | Token
    if kind == "read":
        made, secret = context.catalog.create_token(optional(args, "source", str))
    elif kind in {"server", "browser", "test"}:
        origins = [str(origin) for origin in optional(args, "origins", list) or []]
        source = source_named(context, args).name
        made, secret = context.catalog.create_key(source, kind, origins)  # type: ignore[arg-type] # checked above
    else:
        raise InvalidError(f"kind = {kind!r} is none of server, browser, test, read")
    return _shown(made, kind) | {"secret": secret}


def revoke_key(context: WithCatalog, args: dict[str, Any]) -> dict[str, Any]:
    """Make a write key or read token useless from now on."""
    key_id = required(args, "id", str)
    if any(token.id == key_id for token in context.catalog.read_tokens()):
        context.catalog.revoke_token(key_id)
    else:
        context.catalog.revoke_key(key_id)
    return {"revoked": key_id}


def _shown(row: Key | Token, kind: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": kind,
        "source": row.source or "(all)",
        "origins": list(row.origins) if isinstance(row, Key) else [],
        "created_ms": row.created_ms,
        "revoked_ms": row.revoked_ms,
    }


COMMANDS = {
    "sources.ls": Command(list_sources, alone=False),
    "sources.set": Command(set_source, begins=True),
    "keys.ls": Command(list_keys, alone=False),
    "keys.create": Command(create_key, begins=True),
    "keys.revoke": Command(revoke_key),
}
