"""The bytes of a connection that one thread reads and any thread writes, plain or TLS."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time

from qwen_tts_api.errors import ClientLeft

PART_BYTES = 16_384
"""What is read or written at once."""

_NOTHING_YET = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LEFT = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Stream:
    """A connection that never blocks while its lock is held.

    Waiting is done without the lock, so that a TLS connection is used by one thread at a time, and
    nobody waits for a slow client but who sends to it.

    Args:
        sock: The connection; it is not closed here.
        send_timeout_s: For the client to take anything of what is sent.

    Attributes:
        lock: Held around each use of the connection, and by the owner around its own state.
        lost: Why the connection was given up, as a word for the log; empty while it was not.
    """

    def __init__(self, sock: socket.socket, send_timeout_s: float) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._send_timeout_s = send_timeout_s
        self._output = bytearray()
        self.lock = threading.RLock()
        self.lost = ""

    def receive(self, timeout_s: float) -> bytes | None:
        """Return what has come, waiting for it; None if nothing has, empty at the end."""
        sock = self._sock
        with self.lock:  # what TLS has decrypted already, poll does not see
            pending = isinstance(sock, ssl.SSLSocket) and sock.pending()
        if not pending and not self.wait(select.POLLIN, timeout_s):
            return None
        with self.lock:
            try:
                return sock.recv(PART_BYTES)
            except _NOTHING_YET:
                return None
            except OSError:
                return b""

    def write(self, data: bytes) -> None:
        """Add bytes to what is sent, and send what can be sent at once."""
        with self.lock:
            self._output += data
            self._send()

    def flush(self) -> None:
        """Send what there is; give the client up if it takes nothing of it for too long."""
        deadline = time.monotonic() + self._send_timeout_s
        while True:
            with self.lock:
                before = len(self._output)
                self._send()
                if not self._output:
                    return
                if len(self._output) < before:
                    deadline = time.monotonic() + self._send_timeout_s
            events = self.wait(select.POLLOUT, deadline - time.monotonic())
            if not events & select.POLLOUT:
                self.lose(ClientLeft.code if events else "slow_reader")

    def lose(self, why: str) -> None:
        """Abandon the connection: the client does not read, or has left."""
        with self.lock:
            self.lost = self.lost or why
            self._output.clear()

    def wait(self, events: int, timeout_s: float) -> int:
        """Wait for events of the connection, or for the client to leave; return what there is."""
        poll = select.poll()
        poll.register(self._sock, events | _LEFT)
        return next((seen for _, seen in poll.poll(max(0.0, 1000 * timeout_s))), 0)

    def _send(self) -> None:
        while self._output and not self.lost:
            try:
                sent = self._sock.send(bytes(memoryview(self._output)[:PART_BYTES]))
            except _NOTHING_YET:
                return
            except OSError:
                self.lose(ClientLeft.code)
            else:
                del self._output[:sent]
        self._output.clear()  # lost
