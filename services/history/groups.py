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
    """Some addresses, or all in [first, before) but ``left_out``; ``before`` = "": to the end.

    ``events``: about how many they have, where that was counted.
    """

    addresses: tuple[str, ...] = ()
    first: str = ""
    before: str = ""
    left_out: frozenset[str] = frozenset()
    events: int = 0


def linked(storage: Storage, source: str) -> list[set[str]]:
    """Return the groups of linked addresses of a source."""
    rows = storage.query(queries.linking("linked"), {"source": source})
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
    return list(_packed(_groups_of(storage, source, set(addresses))))


def small_portions(
    storage: Storage, source: str, addresses: Iterable[str], events: int
) -> Iterator[Portion]:
    """Yield portions as above of at most so many events each, but for groups that have more."""
    groups = _groups_of(storage, source, set(addresses))
    everyone = [address for group in groups for address in group]
    counted = storage.query(
        queries.text("counts_of"), {"source": source, "addresses": sorted(everyone)}
    )
    count = {row["address"]: int(row["events"]) for row in counted}
    packed: list[str] = []
    left = events
    for group in groups:
        size = sum(count.get(address, 0) for address in group)
        if packed and size > left:
            yield Portion(tuple(packed), events=events - left)
            packed, left = [], events
        packed.extend(sorted(group))
        left -= size
    if packed:
        yield Portion(tuple(packed), events=events - left)


def _groups_of(storage: Storage, source: str, wanted: set[str]) -> list[set[str]]:
    """Return each address wanted with whoever is linked to it."""
    groups = [group for group in _linked_to(storage, source, wanted) if group & wanted]
    return [*groups, *({address} for address in sorted(wanted.difference(*groups)))]


def _linked_to(storage: Storage, source: str, addresses: set[str]) -> list[set[str]]:
    """Return the groups around some addresses.

    Of a few it is asked hop by hop, each a look at three columns: of all, 20 times as much.
    """
    found: list[Sequence[str]] = []
    known: set[str] = set()
    fresh = addresses
    while fresh:
        known |= fresh
        if len(known) > PORTION_GROUPED:
            return linked(storage, source)
        some = {"source": source, "addresses": sorted(fresh)}
        (named,) = storage.query(queries.text("aliases_of"), some)
        hop = storage.query(queries.linking("linked_by"), {"source": source, **named})
        found += [row["addresses"] for row in hop]
        fresh = {address for row in hop for address in row["addresses"]} - known
    return components(found)


def _packed(groups: Iterable[set[str]]) -> Iterator[Portion]:
    packed: list[str] = []
    for group in groups:
        if packed and len(packed) + len(group) > PORTION_GROUPED:
            yield Portion(tuple(packed))
            packed = []
        packed.extend(sorted(group))
    if packed:
        yield Portion(tuple(packed))
