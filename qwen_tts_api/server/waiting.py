"""The connections that wait for their clients: since when, for how long, and who goes first."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from qwen_tts_api.server.http.connection import Connection, Phase

RECENT_S = 0.5
"""A request that began less than this ago is not taken for a slow one."""
GRACE_S = 0.1
"""A connection that was opened less than this ago is never closed for another: its client, on a
busy machine, has not had the time to send anything."""


class WaitingConnections:
    """Waits for many connections to have something to read, each in one phase.

    Args:
        on_readable: Called with a connection that has something to read.
        timeouts_s: How long each phase may last.
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
        # In the order of their `since`, so that the first is the first whose time is over.
        self._by_phase: dict[Phase, dict[Connection, None]] = {phase: {} for phase in timeouts_s}

    def __len__(self) -> int:
        return sum(map(len, self._by_phase.values()))

    def add(self, connection: Connection, phase: Phase) -> None:
        """Let a connection wait."""
        callback = partial(self._call_back, connection)
        self._selector.register(connection.sock, selectors.EVENT_READ, callback)
        self._begin(connection, phase)

    def move(self, connection: Connection, phase: Phase) -> None:
        """Let a connection that waits wait for something else, from now on."""
        del self._by_phase[connection.phase][connection]
        self._begin(connection, phase)

    def remove(self, connection: Connection) -> None:
        """Let a connection wait no longer."""
        del self._by_phase[connection.phase][connection]
        self._selector.unregister(connection.sock)
        connection.phase = Phase.BUSY

    def _begin(self, connection: Connection, phase: Phase) -> None:
        connection.phase, connection.since = phase, time.monotonic()
        self._by_phase[phase][connection] = None

    def _call_back(self, connection: Connection, _: object) -> None:
        # It may have been closed since the selector told of it.
        if connection in self._by_phase.get(connection.phase, ()):
            self._on_readable(connection)

    def shorten(self, timeout_s: float) -> None:
        """Give every phase of every connection this time at most, from now on."""
        for phase, connections in self._by_phase.items():
            self._timeouts_s[phase] = min(self._timeouts_s[phase], timeout_s)
            for connection in connections:
                connection.since = time.monotonic()

    def take_expired(self) -> Iterator[Connection]:
        """Yield those whose time is over; the caller has to remove or move each at once."""
        now = time.monotonic()
        for phase, connections in self._by_phase.items():
            while connection := next(iter(connections), None):
                if now - connection.since < self._timeouts_s[phase]:
                    break
                yield connection

    def least_missed(self) -> Connection | None:
        """Return the connection to close where there is no room for another, if there is one."""
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

    def largest_oldest(self) -> Connection | None:
        """Return the oldest of those that hold more of the memory than their share."""
        receiving = [*self._by_phase[Phase.BODY], *self._by_phase[Phase.HEAD]]
        total = sum(len(connection.buffer) for connection in receiving)
        return next(
            (each for each in receiving if len(each.buffer) * len(receiving) >= total), None
        )

    def _first(self, phase: Phase) -> Connection | None:
        return next(iter(self._by_phase[phase]), None)
