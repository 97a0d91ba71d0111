"""Periods in which the server was down on purpose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_S = 1.0
"""What broke shortly after the end of an outage may have begun to break in it."""


class Outages:
    """Times by `time.monotonic`; one thread writes, any may read."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        """Record an outage for the duration of the block."""
        self._ends.append(float("inf"))
        try:
            yield
        finally:
            self._ends[-1] = time.monotonic() + GRACE_S

    def excuse(self, since: float) -> bool:
        """Return whether a failure now, of something that began at `since`, is due to an outage."""
        return any(end >= since for end in self._ends)

    @property
    def now(self) -> bool:
        """Return whether there is an outage now."""
        return bool(self._ends) and self._ends[-1] == float("inf")
