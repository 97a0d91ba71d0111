"""The open WebSockets: their limit, and how a shutdown closes them."""

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
        metrics: The service's, whose gauge counts them.
    """

    def __init__(self, max_sockets: int, metrics: Metrics) -> None:
        self._max_sockets = max_sockets
        self._metrics = metrics
        self._lock = threading.Lock()
        self._num_reserved = 0
        self._sockets: set[WebSocket] = set()
        self._draining = False

    def reserve(self) -> None:
        """Count a socket before its handshake is answered; must be followed by `release`.

        Raises:
            ShuttingDown: No more sockets are opened.
            TooManySockets: QWEN_MAX_SOCKETS are open.
        """
        with self._lock:
            if self._draining:
                raise ShuttingDown("The server is shutting down.")
            if not self._max_sockets:
                raise TooManySockets("This server opens no WebSockets: QWEN_MAX_SOCKETS is 0.")
            if self._num_reserved >= self._max_sockets:
                raise TooManySockets(
                    f"{self._num_reserved} WebSockets are open, which is all that QWEN_MAX_SOCKETS "
                    "allows: close one, or try again later."
                )
            self._num_reserved += 1
            self._metrics.sockets.set(self._num_reserved)

    def release(self) -> None:
        """Count a socket as closed."""
        with self._lock:
            self._num_reserved -= 1
            self._metrics.sockets.set(self._num_reserved)

    @contextmanager
    def register(self, websocket: WebSocket) -> Iterator[None]:
        """Let a shutdown close the socket while the block runs."""
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
        """Close all sockets; those on which something is spoken, after that."""
        for websocket in self._begin_drain():
            websocket.drain()

    def abort(self) -> None:
        """Close all sockets at once."""
        for websocket in self._begin_drain():
            websocket.abort()

    def _begin_drain(self) -> list[WebSocket]:
        """Refuse new sockets from here on; return the open ones."""
        with self._lock:
            self._draining = True
            return list(self._sockets)
