"""Which visitors must be folded together, and in which portions all of them are.

An order that one visitor paid may end another's cart (DESIGN, *Links*), so visitors that share an
alias form a group. All others are independent and are taken by ranges of their addresses, in whose
order events lie in storage: a history of any length is read once, and folded in fixed memory.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from services.common.ports import Storage
from services.history import queries

PORTION_EVENTS = 100_000
"""About how many events are folded at a time."""
PORTION_GROUPED = 2_000
"""How many addresses of groups, or of a list, are folded at a time."""


class Portion(Struct, frozen=True):
    """Some addresses, or all in [first, before) but ``left_out``; ``before`` = "": to the end."""

    addresses: tuple[str, ...] = ()
    first: str = ""
    before: str = ""
    left_out: frozenset[str] = frozenset()


def linked(storage: Storage, source: str) -> list[set[str]]:
    """Return the groups of linked addresses of a source."""
    rows = storage.query(queries.text("linked"), {"source": source})
    return components(row["addresses"] for row in rows)


def components(sets: Iterable[Sequence[str]]) -> list[set[str]]:
    """Join sets that overlap until none does."""
    group_of: dict[str, set[str]] = {}
    for addresses in sets:
        merged = set(addresses)
        for group in {id(g): g for a in addresses if (g := group_of.get(a)) is not None}.values():
            merged |= group
        for address in merged:
            group_of[address] = merged
    return list({id(group): group for group in group_of.values()}.values())


def all_portions(storage: Storage, source: str) -> list[Portion]:
    """Return portions that cover every address of a source once."""
    groups = linked(storage, source)
    grouped = frozenset(address for group in groups for address in group)
    edges = storage.query(queries.text("edges"), {"source": source, "events": PORTION_EVENTS})
    firsts = sorted({"", *(row["address"] for row in edges)})
    rest = [
        Portion(first=first, before=before, left_out=grouped)
        for first, before in zip(firsts, [*firsts[1:], ""], strict=True)
    ]
    return [*_packed(groups), *rest]


def portions_of(storage: Storage, source: str, addresses: Iterable[str]) -> list[Portion]:
    """Return portions that cover some addresses and whoever is linked to them."""
    wanted = set(addresses)
    groups = [group for group in linked(storage, source) if group & wanted]
    alone = wanted.difference(*groups)
    return list(_packed([*groups, *({address} for address in sorted(alone))]))


def _packed(groups: Iterable[set[str]]) -> Iterator[Portion]:
    packed: list[str] = []
    for group in groups:
        if packed and len(packed) + len(group) > PORTION_GROUPED:
            yield Portion(tuple(packed))
            packed = []
        packed.extend(sorted(group))
    if packed:
        yield Portion(tuple(packed))
