"""``make chaos``: the long run, three brokers. Prints its seed first; any run can be repeated."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.again import read_again
from tests.chaos.monkey import Habits
from tests.chaos.run import Plan, rage

LONG_STOP_SECONDS = 20.0


def main() -> int:
    """Run until so many were killed and all has come to rest; return 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=3)
    parser.add_argument("--rate", type=float, default=4.0, help="shoppers a second")
    parser.add_argument("--keep", type=Path, help="folder to leave everything in")
    given = parser.parse_args()
    plan = Plan(
        seed=given.seed,
        kills=given.kills,
        brokers=given.brokers,
        shoppers_per_second=given.rate,
        habits=Habits(long_stops=0.03, steps=0.05),
        rest=600.0,
        long_stop=LONG_STOP_SECONDS,
    )
    say(f"seed {plan.seed}, {plan.kills} kills, {plan.brokers} brokers")
    with tempfile.TemporaryDirectory(prefix="waymark-chaos-") as folder:
        place = given.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        outcome = asyncio.run(rage(plan, place, say, then=read_again))
    say(str(outcome))
    for kind in ("worker", "loader", "ingest"):
        assert outcome.longest[kind] >= LONG_STOP_SECONDS, outcome.longest
    return 0


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
