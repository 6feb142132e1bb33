"""How evenly visitors spread over partitions and workers: simulated with the real partitioner.

    python -m benchmarks.scaling [--visitors N]

Visitors send a number of events drawn from a heavy-tailed law (most few, some very many); each
goes to the partition of its key. The busiest partition bounds what one worker must do, the busiest
worker what the whole may take. Prints both over the mean, for numbers of partitions and workers.
"""

import argparse
import random

from services.common.partitions import key_of, partition_of

SHAPE = 1.6
"""Of the Pareto law of events a visitor: the busiest hundredth sends about a fifth of all."""
MOST = 5_001
"""Beyond it a visitor is a bot of a session, and only counted."""
PARTITIONS = (16, 64, 256, 1024)
WORKERS = (2, 8, 32, 64)


def loads(visitors: int, partitions: int, seed: int = 1) -> list[int]:
    """Return how many events each partition gets."""
    chance = random.Random(seed)
    found = [0] * partitions
    for number in range(visitors):
        events = min(MOST, int(3 * chance.paretovariate(SHAPE)))
        found[partition_of(key_of("shop", f"visitor-{number}"), partitions)] += events
    return found


def by_worker(partitions: list[int], workers: int) -> list[int]:
    """Return each worker's events where partitions are dealt out in turn, as the group does."""
    return [sum(partitions[number::workers]) for number in range(workers)]


def over_mean(found: list[int]) -> float:
    """Return the busiest over the mean."""
    return max(found) * len(found) / sum(found)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=1_000_000)
    visitors = parser.parse_args().visitors
    print(f"{visitors} visitors; the busiest over the mean")
    print("partitions  partition  " + "  ".join(f"{n:3d} workers" for n in WORKERS))
    for partitions in PARTITIONS:
        found = loads(visitors, partitions)
        cells = [
            f"{over_mean(by_worker(found, workers)):11.3f}" if workers <= partitions else " " * 11
            for workers in WORKERS
        ]
        print(f"{partitions:10d}  {over_mean(found):9.3f}  " + "  ".join(cells))


if __name__ == "__main__":
    main()
