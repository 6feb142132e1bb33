"""A source and its policy as normalisation needs them."""

from schemas.context import Site, site
from services.common.catalog_rows import Source
from services.sessionizer.core.policy import Policy


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
