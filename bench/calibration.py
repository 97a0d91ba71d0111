"""How fast the machine is now: a shared one is three times slower in one hour than in another."""

from __future__ import annotations

import time

ADDITIONS = 300_000
TIMES = 5


def loop_ms() -> float:
    """Return the CPU time in ms of a loop of `ADDITIONS` additions in Python, the best of a few."""
    return min(_loop_ms() for _ in range(TIMES))


def _loop_ms() -> float:
    began = time.thread_time()
    total = 0
    for number in range(ADDITIONS):
        total += number
    return 1000 * (time.thread_time() - began)
