"""Connections that wait for their clients: timeouts, and the order of eviction."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from qwen_tts_api.server.http.connection import Connection, Phase

RECENT_S = 0.5
"""A request that began less than this ago does not count as slow."""
GRACE_S = 0.1
"""A connection that was opened less than this ago is never evicted: on a busy machine its client
has not had the time to send anything."""


class WaitingConnections:
    """Connections that wait to become readable, each in one phase.

    Args:
        on_readable: Called with a connection that has become readable.
        timeouts_s: The timeout of each phase.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_readable: Callable[[Connection], None],
        timeouts_s: Mapping[Phase, float],
    ) -> None:
        self._selector = selector
        self._on_readable = on_readable
        self._timeouts_s = dict(timeouts_s)
        # Ordered by `since`, so that the first connection is the first to time out.
        self._by_phase: dict[Phase, dict[Connection, None]] = {phase: {} for phase in timeouts_s}

    def __len__(self) -> int:
        return sum(map(len, self._by_phase.values()))

    def add(self, connection: Connection, phase: Phase) -> None:
        """Wait for a connection in a phase."""
        callback = partial(self._call_back, connection)
        self._selector.register(connection.sock, selectors.EVENT_READ, callback)
        self._begin(connection, phase)

    def move(self, connection: Connection, phase: Phase) -> None:
        """Move a waiting connection to another phase, whose timeout begins now."""
        del self._by_phase[connection.phase][connection]
        self._begin(connection, phase)

    def remove(self, connection: Connection) -> None:
        """Stop waiting for a connection."""
        del self._by_phase[connection.phase][connection]
        self._selector.unregister(connection.sock)
        connection.phase = Phase.BUSY

    def _begin(self, connection: Connection, phase: Phase) -> None:
        connection.phase, connection.since = phase, time.monotonic()
        self._by_phase[phase][connection] = None

    def _call_back(self, connection: Connection, _: object) -> None:
        # It may have been closed since the selector reported it.
        if connection in self._by_phase.get(connection.phase, ()):
            self._on_readable(connection)

    def limit_timeouts(self, timeout_s: float) -> None:
        """Restart the timeout of every connection, with at most `timeout_s`."""
        for phase, connections in self._by_phase.items():
            self._timeouts_s[phase] = min(self._timeouts_s[phase], timeout_s)
            for connection in connections:
                connection.since = time.monotonic()

    def take_expired(self) -> Iterator[Connection]:
        """Yield connections that timed out; the caller removes or moves each before the next."""
        now = time.monotonic()
        for phase, connections in self._by_phase.items():
            while connection := next(iter(connections), None):
                if now - connection.since < self._timeouts_s[phase]:
                    break
                yield connection

    def next_to_evict(self) -> Connection | None:
        """Return the connection to close first: closing, slow, idle, then any other incomplete one.

        None if all are busy or new.
        """
        receiving = [self._first(Phase.HEAD), self._first(Phase.BODY)]
        slow = sorted(filter(None, receiving), key=lambda connection: connection.since)
        now = time.monotonic()
        candidates = [
            self._first(Phase.LINGER),
            *(connection for connection in slow if connection.since < now - RECENT_S),
            self._first(Phase.IDLE),
            *(connection for connection in slow if connection.since < now - GRACE_S),
        ]
        return next(filter(None, candidates), None)

    def largest_receiving(self) -> Connection | None:
        """Return the oldest connection that buffers at least the mean of those that receive."""
        receiving = [*self._by_phase[Phase.BODY], *self._by_phase[Phase.HEAD]]
        total = sum(len(connection.buffer) for connection in receiving)
        return next(
            (each for each in receiving if len(each.buffer) * len(receiving) >= total), None
        )

    def _first(self, phase: Phase) -> Connection | None:
        return next(iter(self._by_phase[phase]), None)
