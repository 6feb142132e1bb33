"""The rules of each source: its own policy over the installation's, and its currency."""

from services.common.catalog import Catalog
from services.common.policy_file import parse_policy
from services.sessionizer.core.policy import Policy, SourceRules


class CatalogRules:
    """Answers ``rules(source)`` from the catalog; a changed source is seen at the next look-up.

    A source that the catalog does not know (an import's, a removed one) goes by the installation's
    policy.
    """

    def __init__(self, catalog: Catalog, policy: Policy) -> None:
        """Lay the sources' policies over this one."""
        self._catalog = catalog
        self.policy = policy
        self._default = SourceRules(policy=policy)
        self._made: dict[str, tuple[tuple[str | None, str], SourceRules]] = {}

    def __call__(self, source: str) -> SourceRules:
        """Return the rules of a source. Raises ``InvalidError`` where its policy cannot be."""
        found = self._catalog.source(source)
        if found is None:
            return self._default
        basis = (found.policy, found.currency)
        known = self._made.get(source)
        if known is not None and known[0] == basis:
            return known[1]
        policy = self.policy
        if found.policy:
            policy = parse_policy(found.policy, f"policy of source {source}", self.policy)
        made = SourceRules(policy=policy, currency=found.currency)
        self._made[source] = (basis, made)
        return made
