"""What two clocks say of each other, and which times a client can mean at all."""

SKEW_MS = 30_000
"""A client clock within this of ours is taken as it is, so that a retry keeps its time."""

EARLIEST_MS = 631_152_000_000
"""1990-01-01: no storefront has events of before."""

LATEST_MS = 4_102_444_800_000
"""2100-01-01."""


def skew(sent_ms: int, received_ms: int) -> int:
    """Return by how much a client's clock is to be corrected: 0 unless it is far off."""
    ahead = received_ms - sent_ms
    return 0 if -SKEW_MS <= ahead <= SKEW_MS else ahead
