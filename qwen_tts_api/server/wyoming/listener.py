"""The Wyoming port: one thread accepts connections, each of which has a thread of its own."""

from __future__ import annotations

import ipaddress
import logging
import selectors
import socket
import threading
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue

from qwen_tts_api.config import Config
from qwen_tts_api.routes.security.rate_limit import RateLimit, counted_address
from qwen_tts_api.server.limits import WYOMING_CONNECTIONS
from qwen_tts_api.server.listening import Acceptor, listen
from qwen_tts_api.server.wyoming.connection import WyomingConnection
from qwen_tts_api.server.wyoming.handler import Wyoming
from qwen_tts_api.server.wyoming.voices import WyomingVoices
from qwen_tts_api.service.speech import SpeechService

logger = logging.getLogger(__name__)

SETTING = "QWEN_WYOMING_BIND"
STEP_S = 1.0


class WyomingServer:
    """Serves Wyoming's clients, in daemon threads of this process.

    Args:
        config: The settings; `wyoming_bind` is an address.
        service: Speaks.

    Raises:
        ConfigError: The address cannot be listened on.
    """

    def __init__(self, config: Config, service: SpeechService) -> None:
        self._listener = listen(SETTING, config.wyoming_bind)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        limit = RateLimit(config.rate_limit) if config.rate_limit else None
        self._shared = Wyoming(config, service, WyomingVoices(config, service), limit)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[WyomingConnection] = set()
        self._selector = selectors.DefaultSelector()
        self._queue = PollableMethodQueue()
        self._queue.init()
        self._selector.register(
            self._queue.fileno(), selectors.EVENT_READ, self._queue.run_callbacks
        )
        self._acceptor = Acceptor(
            self._selector,
            [self._listener],
            has_room=lambda: len(self._connections) < WYOMING_CONNECTIONS,
            evict=self._evict,
            opened=self._open,
        )

    def start(self) -> None:
        """Accept connections, in a thread."""
        self._shared.voices.start()
        threading.Thread(target=self._run, name="wyoming", daemon=True).start()
        address = self._shared.config.wyoming_bind
        logger.info("Wyoming on tcp://%s", address)
        if not is_loopback(address):
            logger.warning(
                "%s=%s: the Wyoming protocol has no API keys, so that anybody who reaches this "
                "address can synthesize speech and list voices. Allow only Home Assistant by a "
                "firewall.",
                SETTING,
                address,
            )

    @property
    def num_busy(self) -> int:
        """Return the number of connections that are being answered."""
        with self._lock:
            return sum(connection.is_busy for connection in self._connections)

    def drain(self) -> None:
        """Begin a graceful shutdown: stop listening, close what is idle, let answers end."""
        self._stopping.set()
        self._queue.defer(lambda: None)  # wakes the thread that accepts
        with self._lock:
            idle = [connection for connection in self._connections if not connection.is_busy]
        for connection in idle:
            connection.hang_up()

    def _run(self) -> None:
        """Accept connections until the shutdown, and then those of the backlog."""
        while not self._stopping.is_set():
            try:
                for key, _ in self._selector.select(self._acceptor.resume(STEP_S)):
                    key.data(key.fileobj)
            except Exception:  # of one connection; others are still accepted
                logger.exception("accepting a Wyoming connection failed")
        self._acceptor.close()

    def _open(self, sock: socket.socket, client: Any, listener: object) -> None:
        connection = WyomingConnection(
            sock, counted_address(client[0]), self._shared, self._stopping
        )
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="wyoming_client", daemon=True
        )
        with self._lock:
            self._connections.add(connection)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left
            with self._lock:
                self._connections.discard(connection)
            sock.close()
            raise

    def _serve(self, connection: WyomingConnection) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _evict(self) -> bool:
        """Close the connection that has been idle for longest; return whether there was one."""
        with self._lock:
            idle = [connection for connection in self._connections if not connection.is_busy]
            if not idle:
                return False
            oldest = min(idle, key=lambda connection: connection.since)
            self._connections.discard(oldest)
        oldest.hang_up()
        return True


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches an `address:port`."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
