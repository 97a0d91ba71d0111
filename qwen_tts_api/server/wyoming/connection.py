"""One client of the Wyoming port: a thread that receives its events, and answers each in turn."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import suppress

from qwen_tts_api.errors import ClientLeft, TTSError
from qwen_tts_api.routes.connection import socket_client
from qwen_tts_api.server.limits import LINGER_S
from qwen_tts_api.server.wyoming.events import Event, EventReader
from qwen_tts_api.server.wyoming.handler import EventHandler, Wyoming

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 65_536
MIN_WAIT_S = 1.0
"""How long more of a live text is waited for in one go, where QWEN_KEEPALIVE_S is less."""

_INTERNAL_ERROR = Event(
    "error", {"text": "The server failed on this request; see its log.", "code": TTSError.code}
)


class WyomingConnection:
    """One client's connection.

    It is closed after an error: Home Assistant waits for the end of the audio, and does not know
    the event.

    Args:
        sock: Connected to the client.
        address: The client's, by which requests are counted.
        shared: With other connections.
        stopping: Set when requests are no longer waited for.

    Attributes:
        since: When the last event was answered, or else the connection accepted, by
            `time.monotonic`.
    """

    def __init__(
        self, sock: socket.socket, address: str, shared: Wyoming, stopping: threading.Event
    ) -> None:
        config = shared.config
        self._sock = sock
        self._stopping = stopping
        self._event_timeout_s = self._idle_timeout_s = config.client_timeout_s
        self._keepalive_s = config.keepalive_s
        self._deadline: float | None = None
        self._send_lock = threading.Lock()
        self._reader = EventReader(self._receive, config.max_body_bytes)
        self._handler = EventHandler(shared, socket_client(sock), address, self._send, self._fail)
        self.since = time.monotonic()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(config.client_timeout_s)  # of each `send`

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self._handler.is_busy

    def run(self) -> None:
        """Serve the client until one side closes the connection."""
        with self._sock:
            try:
                self._serve()
            except Exception as error:
                self._fail(error)
            finally:
                self._handler.close()
            with suppress(OSError):
                self._linger()

    def hang_up(self) -> None:
        """Close the connection, from any thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        """Answer events until the client leaves."""
        while not self._stopping.is_set() or self.is_busy:
            self._deadline = None
            event = self._reader.read()
            if event is None:
                return
            self._handler.handle(event)
            self.since = time.monotonic()
            self._idle_timeout_s = self._keepalive_s

    def _fail(self, error: Exception) -> None:
        """Send the error and close the sending side; hang up if the client left. Any thread."""
        if isinstance(error, TimeoutError):
            logger.info("a Wyoming client sent or read nothing for too long: closing")
        if isinstance(error, (OSError, ClientLeft)):
            self.hang_up()
            return
        event = _INTERNAL_ERROR
        if isinstance(error, TTSError):
            event = Event("error", {"text": error.message, "code": error.code})
        else:
            logger.error("a Wyoming request failed without an answer", exc_info=error)
        with suppress(OSError):
            self._send(event)
            self._sock.shutdown(socket.SHUT_WR)

    def _receive(self, has_begun: bool) -> bytes:
        """Return the next bytes of an event, or of the first one that comes.

        Raises:
            TimeoutError: None came in time.
        """
        if has_begun:
            now = time.monotonic()
            self._deadline = self._deadline or now + self._event_timeout_s
            has_data = self._has_data(self._deadline - now)
        else:
            # More of a live text is waited for by the service.
            while not (has_data := self._has_data(self._idle_timeout_s)) and self.is_busy:
                self._idle_timeout_s = max(self._idle_timeout_s, MIN_WAIT_S)
        if not has_data:
            raise TimeoutError
        return self._sock.recv(RECEIVE_BYTES)

    def _has_data(self, timeout_s: float) -> bool:
        """Wait for data, or the end of the connection; return whether it came in time."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(max(0.0, 1000 * timeout_s)))

    def _send(self, event: Event) -> None:
        with self._send_lock:
            self._sock.sendall(event.encode())

    def _linger(self) -> None:
        """Close the sending side, then wait for the client to close: else it may lose the answer.

        (RFC 9112, section 9.6, of HTTP.)
        """
        self._sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + LINGER_S
        while self._has_data(deadline - time.monotonic()):
            if not self._sock.recv(RECEIVE_BYTES):
                return
