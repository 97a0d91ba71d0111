"""The WebSockets that are open: how many there may be, and what a shutdown does with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qwen_tts_api.errors import ShuttingDown, TooManySockets
from qwen_tts_api.routes.live.websocket import WebSocket
from qwen_tts_api.telemetry.metrics import Metrics


class OpenSockets:
    """A bounded set of WebSockets.

    Args:
        max_sockets: How many there may be at once.
        metrics: Tell how many there are.
    """

    def __init__(self, max_sockets: int, metrics: Metrics) -> None:
        self._max_sockets = max_sockets
        self._metrics = metrics
        self._lock = threading.Lock()
        self._num_reserved = 0
        self._sockets: set[WebSocket] = set()
        self._draining = False

    def reserve(self) -> None:
        """Take a place, before the handshake is answered; `release` gives it back.

        Raises:
            ShuttingDown: No more sockets are opened.
            TooManySockets: There is no place.
        """
        with self._lock:
            if self._draining:
                raise ShuttingDown("The server is shutting down.")
            if self._num_reserved >= self._max_sockets:
                raise TooManySockets(
                    f"{self._num_reserved} WebSockets are open, which is all that QWEN_MAX_SOCKETS "
                    "allows: close one, or try again later."
                )
            self._num_reserved += 1
            self._metrics.sockets.set(self._num_reserved)

    def release(self) -> None:
        """Give a place back."""
        with self._lock:
            self._num_reserved -= 1
            self._metrics.sockets.set(self._num_reserved)

    @contextmanager
    def register(self, websocket: WebSocket) -> Iterator[None]:
        """Let a shutdown reach a socket."""
        with self._lock:
            self._sockets.add(websocket)
            draining = self._draining
        if draining:
            websocket.drain()
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(websocket)

    def drain(self) -> None:
        """Close all sockets, those on which something is spoken when that is over."""
        for websocket in self._take(draining=True):
            websocket.drain()

    def abort(self) -> None:
        """Close all sockets, whatever is spoken."""
        for websocket in self._take(draining=True):
            websocket.abort()

    def _take(self, *, draining: bool) -> list[WebSocket]:
        with self._lock:
            self._draining = draining
            return list(self._sockets)
