"""The log that benchmarks give to workers: what it holds, and how far it is applied."""

from benchmarks.kafka.fold import TICK, applied_share, shop


def test_every_partition_of_a_shop_ends_with_a_tick_after_the_grace_of_all_events() -> None:
    records = list(shop(1_000, 3))

    last = {number: (body, at_ms) for number, body, at_ms in records}
    latest_ms = max(at_ms for _, body, at_ms in records if body != TICK)
    assert set(last) == {0, 1, 2}
    assert all(body == TICK and at_ms > latest_ms + 30_000 for body, at_ms in last.values())
    assert sum(body.count(b"\n") + 1 for _, body, _ in records if body != TICK) == 1_000


def test_a_log_is_applied_once_each_partition_is_at_its_end() -> None:
    ends = {0: 9, 1: 9}

    assert applied_share({}, ends) == 0
    assert applied_share({0: 4, 1: 4}, ends) == 0.5
    assert applied_share({0: 9, 1: 9}, ends) == 1


def test_what_workers_write_into_one_partition_is_not_the_rest_of_another() -> None:
    ends = {0: 9, 1: 9}

    assert applied_share({0: 500, 1: 4}, ends) == 0.75
    assert applied_share({0: 500, 1: 8}, ends) < 1
