"""Python's collector of cycles in a process that runs for months and holds much.

What a start has made stays for ever, and what an event makes is freed by counting references.
Looking through it all for cycles, by the default after each 700 containers, took 7 % of the
processor's time of ``waymark run`` under load.
"""

import gc

YOUNG, MIDDLE, OLD = 50_000, 20, 50
"""Containers made before the young are looked through, and how much more rarely the older ones."""


def collect_seldom() -> None:
    """Set aside what lives now, and look for cycles seldom; once a process, after its start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
