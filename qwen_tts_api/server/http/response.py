"""Sends a response: as few pieces as can be, over a socket that never blocks a call."""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Any

from gunicorn.http.wsgi import Response


class SocketResponse(Response):  # type: ignore[misc]
    """gunicorn's response, whose head leaves together with the first bytes of the body.

    A piece costs a system call, and wakes the client up.

    Args:
        request: The parsed request.
        sock: The client's.
        cfg: gunicorn's settings.
        timeout_s: For each piece to be taken.
    """

    def __init__(self, request: Any, sock: socket.socket, cfg: Any, timeout_s: float) -> None:
        super().__init__(request, sock, cfg)
        self.headers_sent = False
        self._timeout_s = timeout_s
        self._head = b""

    @property
    def has_begun(self) -> bool:
        """Whether the client may have received anything of it."""
        return bool(self.headers_sent and not self._head)

    def send_headers(self) -> None:
        """Keep the head for the first bytes of the body, or the end; send it where none may come.

        Behind a 101 the connection is the application's.
        """
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{k}: {v}\r\n" for k, v in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True
            if self._omits_body:
                self._send(b"")

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._send(b"%X\r\n%b\r\n" % (len(data), data))
        else:
            self._send(data)

    def close(self) -> None:
        """Send what is left, and end a body without a length."""
        self.send_headers()
        self._send(b"0\r\n\r\n" if self.chunked else b"")

    def _send(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head or data:
            send_all(self.sock, head + data, self._timeout_s)


def send_all(sock: socket.socket, data: bytes, timeout_s: float) -> None:
    """Send data, as `socket.sendall` does, over a socket that does not block.

    Mostly the kernel takes it at once: that costs one system call, and no look whether it would.

    Raises:
        TimeoutError: All of it was not taken within `timeout_s`.
        OSError: The connection is gone.
    """
    deadline = time.monotonic() + timeout_s
    rest = memoryview(data)
    while True:
        awaited = select.POLLOUT
        try:
            rest = rest[sock.send(rest) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass
        except ssl.SSLWantReadError:  # TLS has to hear something first
            awaited = select.POLLIN
        if not rest:
            return
        _wait(sock, awaited, deadline)


def _wait(sock: socket.socket, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(max(0.0, 1000 * (deadline - time.monotonic()))):
        raise TimeoutError("the client reads nothing")
