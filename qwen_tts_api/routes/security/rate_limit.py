"""Rate limit: a sliding window of 60 seconds per client."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 60.0


class RateLimit:
    """At most `limit` events of a client within any 60 seconds.

    Args:
        limit: Maximum number of events.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        # Times of each client's events; the client with the oldest last event is first.
        self._events: OrderedDict[str, deque[float]] = OrderedDict()

    def hit(self, client: str, num: int = 1) -> float:
        """Count events and return 0; at the limit none, and return the seconds until there is room.

        Args:
            client: Whose.
            num: How many: 1 up to the limit.
        """
        with self._lock:
            now = self._clock()
            self._forget(now - WINDOW_S)
            events = self._events.setdefault(client, deque())
            while events and events[0] <= now - WINDOW_S:
                events.popleft()
            if (num_over := len(events) + num - self._limit) > 0:
                return events[num_over - 1] + WINDOW_S - now
            events.extend([now] * num)
            self._events.move_to_end(client)
            return 0.0

    def _forget(self, before: float) -> None:
        """Remove clients without an event in the window."""
        while self._events and next(iter(self._events.values()))[-1] <= before:
            self._events.popitem(last=False)


def counted_address(peer: str | None) -> str:
    """Return the address to count by: for IPv6 the /64 network, which is usually one host's."""
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:  # a Unix socket has none
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
