"""Which visitors are folded together."""

from hypothesis import given
from hypothesis import strategies as st

from services.history.groups import components


def test_sets_that_overlap_through_a_third_become_one() -> None:
    assert components([["a", "b"], ["c", "d"], ["b", "c"], ["x", "y"]]) == [
        {"a", "b", "c", "d"},
        {"x", "y"},
    ]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1), max_size=12))
def test_components_cover_everything_once_and_never_cut_a_set(sets: list[list[str]]) -> None:
    groups = components(sets)
    assert sum(len(group) for group in groups) == len({name for one in sets for name in one})
    assert all(any(set(one) <= group for group in groups) for one in sets)
