"""What failed of late is not tried again at once, but after a while that grows."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from time import monotonic

FIRST_DELAY_S = 5.0
MAX_DELAY_S = 300.0


@dataclass(frozen=True)
class _Failure:
    delay_s: float
    retry_at: float


class FailureMemory:
    """Failures by name, each with the time from which on it may be tried again.

    The wait is FIRST_DELAY_S, and twice as long after each failure that follows without a success
    in between, up to MAX_DELAY_S. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, _Failure] = {}

    def note(self, name: str) -> int:
        """Remember a failure; return after how many seconds it may be tried again."""
        with self._lock:
            last = self._failures.get(name)
            delay_s = min(MAX_DELAY_S, 2 * last.delay_s) if last else FIRST_DELAY_S
            self._failures[name] = _Failure(delay_s, monotonic() + delay_s)
        return max(1, math.ceil(delay_s))

    def forget(self, name: str) -> None:
        """Note that it works."""
        with self._lock:
            self._failures.pop(name, None)

    def retry_after_s(self, name: str) -> int:
        """Return the seconds until it may be tried again; 0: now."""
        with self._lock:
            failure = self._failures.get(name)
        return max(0, math.ceil(failure.retry_at - monotonic())) if failure else 0
