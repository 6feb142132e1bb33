"""What a metric is; the table of them all is ``registry.py``."""

from typing import Literal

from msgspec import Struct

from services.rollups.facts import FACTS, Fact

Kind = Literal["count", "rate", "sum", "mean", "quantile", "now"]
Unit = Literal["count", "share", "ms", "pages", "days", "money"]


class Metric(Struct, frozen=True, kw_only=True):
    """One metric.

    ``k`` is the measure counted; rates and means divide it by ``n``. ``undecided`` is the measure
    of what may still change the bucket. ``always`` are dimensions that every answer has.
    ``variants`` names, for a dimension, the fact that answers when it is asked for.
    ``pivot`` turns one measure a stage into rows of it (``k`` reached, ``n`` the stage before).
    ``median`` is shown as ``p50``; ``less`` is a fact and its measure to take off ``k``.
    ``fleeting`` counts what had to be left out for want of a lasting id, ``without`` names
    dimensions of the fact that make no sense here, ``overlaps`` those whose rows overlap.
    """

    name: str
    unit: Unit
    kind: Kind
    definition: str
    fact: str = ""
    k: str = ""
    n: str = ""
    undecided: str = ""
    always: tuple[str, ...] = ()
    variants: dict[str, str] = {}
    pivot: bool = False
    median: str = ""
    fleeting: str = ""
    less: tuple[str, str] | None = None
    without: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the measures that its rows need, without those it has none of."""
        named = (self.k, self.n, self.undecided, self.median, self.fleeting)
        return tuple(dict.fromkeys(name for name in named if name))

    def fact_for(self, names: frozenset[str]) -> Fact:
        """Return the fact that answers for the dimensions asked for."""
        chosen = next((fact for name, fact in self.variants.items() if name in names), self.fact)
        return FACTS[chosen]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Return the names of the dimensions it may be grouped and filtered by."""
        facts = [FACTS[name] for name in (self.fact, *self.variants.values()) if name]
        names = [one.name for fact in facts for one in fact.dimensions]
        mine = dict.fromkeys([*self.always, *names])
        hidden = {"first_channel", *self.without}
        return tuple(name for name in mine if name not in hidden)
