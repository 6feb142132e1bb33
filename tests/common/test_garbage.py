import gc

from services.common.garbage import YOUNG, collect_seldom


def test_what_lives_is_set_aside_and_cycles_are_still_found_when_asked_for() -> None:
    before = gc.get_threshold()
    try:
        collect_seldom()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == YOUNG
        made: list[object] = []
        made.append(made)
        del made
        assert gc.collect() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
