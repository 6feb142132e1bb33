"""Where storage is: ``chdb:///path`` or ``http(s)://user:password@host:8123/db``."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from services.common.errors import InvalidError

DATABASE = "waymark"


class Address(Struct, frozen=True):
    """A store's address as the client library takes it, and the database in it.

    ``place`` names it without its password.
    """

    dsn: str
    database: str
    place: str
    embedded: bool


def address_of(dsn: str, database: str = "") -> Address:
    """Read an address; ``database`` wins over its own, which wins over ``waymark``.

    Raises ``InvalidError``, which never shows a password, for an address of another kind.
    """
    parts = urlsplit(dsn)
    embedded = parts.scheme == "chdb"
    if embedded:
        named = parse_qs(parts.query).get("database", [""])[0]
        plain, place = f"chdb://{parts.netloc}{parts.path}", parts.path
    elif parts.scheme in {"http", "https"}:
        named = parts.path.strip("/")
        plain = f"{parts.scheme}://{parts.netloc}?{parts.query}".rstrip("?")
        place = f"{parts.hostname}:{parts.port}"
    else:
        shown = f"{parts.scheme}://{parts.hostname or ''}" if parts.scheme else "(no scheme)"
        raise InvalidError(
            f"WAYMARK_CLICKHOUSE = {shown}: expected chdb:///path or http(s)://user:password@host/db"
        )
    name = database or named or DATABASE
    if not name.isidentifier():
        raise InvalidError(f"WAYMARK_CLICKHOUSE: database {name!r} is no plain name")
    return Address(dsn=plain, database=name, place=place, embedded=embedded)


def options(address: Address, http: dict[str, Any]) -> dict[str, Any]:
    """Return what the client library is called with; ``http`` only where a server is asked."""
    if address.embedded:
        return {"dsn": address.dsn}
    # By itself the library goes by the port: it would send the password of an https address on
    # another one than 8443 unencrypted.
    tls = {"interface": "https"} if address.dsn.startswith("https:") else {}
    return {"dsn": address.dsn, **tls, **http}
