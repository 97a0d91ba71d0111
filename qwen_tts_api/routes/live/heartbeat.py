"""When a client is pinged, and how long its pong may take."""

from __future__ import annotations

SLOWEST_BYTES_S = 4096
"""What a client that plays while it reads takes in a second at least; its pong is behind that."""


class Heartbeat:
    """The clock of one WebSocket's pings.

    Args:
        interval_s: Seconds between two pings, and from a ping to its pong.
        now: By a monotonic clock, as everywhere here.

    Attributes:
        due_at: When `beat` has something to do.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._is_awaited = False
        self._sent_bytes = 0
        self.due_at = now + interval_s

    def sent(self, num_bytes: int) -> None:
        """Record bytes that the client has to read before the next ping, or before its pong."""
        self._sent_bytes += num_bytes
        if self._is_awaited:
            self.due_at += num_bytes / SLOWEST_BYTES_S

    def pong(self, now: float) -> None:
        """Record a pong."""
        self._is_awaited = False
        self._sent_bytes = 0
        self.due_at = now + self._interval_s

    def beat(self, now: float) -> bool:
        """Return whether a ping is to be sent now.

        Raises:
            TimeoutError: The pong is missing.
        """
        if now < self.due_at:
            return False
        if self._is_awaited:
            raise TimeoutError
        self._is_awaited = True
        self.due_at = now + self._interval_s + self._sent_bytes / SLOWEST_BYTES_S
        return True
