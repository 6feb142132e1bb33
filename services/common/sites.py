"""A source and its policy as normalisation needs them, and what can be a host of one."""

import re

from schemas.context import Site, site
from schemas.urls import plain_host, take_apart
from services.common.catalog_rows import Source
from services.common.errors import invalid
from services.sessionizer.core.policy import Policy

HOST = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*")


def host_named(text: str) -> str:
    """Return a host as it was named; raises ``InvalidError`` for what is none.

    With a port, in capitals or with a final dot it is one: those are not looked at.
    """
    host = text.strip()
    alone = take_apart(host if "//" in host else f"//{host}").host
    if "/" not in host and HOST.fullmatch(plain_host(host)):
        return host
    if HOST.fullmatch(alone):
        raise invalid("host", text, f"give the host alone: {alone}")
    why = "a host is a name such as shop.example, which stands for those below it too"
    raise invalid("host", text, why)


def site_of(source: Source, policy: Policy) -> Site:
    """Return the source's site; keep it while both stand, for it has a memory."""
    return site(
        source.name,
        currency=source.currency,
        hosts=list(source.hosts),
        timezone=source.timezone,
        page_paths=policy.page_paths,
        exclude_addresses=policy.exclude.addresses,
        exclude_users=policy.exclude.users,
        exclude_hosts=policy.exclude.hosts,
    )
