"""The event loop of a port: one thread owns all connections, a pool of threads handles requests.

A request takes a thread only when it has been received completely. Until then it costs a file
descriptor and its bytes. Both are bounded: when a limit is reached, the slowest connection is
evicted.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import InvalidRequestLine
from gunicorn.sock import ssl_context
from gunicorn.workers.gthread import PollableMethodQueue

from qwen_tts_api.errors import BodyTooLarge, RequestTimeout, TTSError
from qwen_tts_api.server.http.connection import Connection, Phase
from qwen_tts_api.server.http.framing import Progress
from qwen_tts_api.server.limits import LINGER_S, LoopLimits
from qwen_tts_api.server.listening import NOTHING_YET, Acceptor
from qwen_tts_api.server.threads import RequestThreads
from qwen_tts_api.server.waiting import WaitingConnections

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 65_536
MAX_BUFFERED_BODIES = 16
"""How many bodies of the largest size may be buffered, over all connections."""

_TOO_MANY_CHUNKS = "The body is in too many chunks: send larger ones, or a Content-Length."


class ConnectionLoop:
    """Accept connections, receive requests, and dispatch them to a thread pool.

    All methods except `defer` belong to the one thread that calls `step`.

    Args:
        name: Prefix of the names of the pool's threads.
        listeners: Listening sockets.
        cfg: gunicorn's settings.
        limits: Of this port.
        handle: Handles one request in a thread of the pool; returns whether to keep the connection
            alive.
        send_error: Sends an error response to an incomplete request; must not block.
        needs_body: Returns whether the body that follows a head has to be received.
        tls: Whether to use TLS, with the certificate of gunicorn's settings.
    """

    def __init__(
        self,
        name: str,
        listeners: Sequence[Any],
        cfg: Any,
        limits: LoopLimits,
        *,
        handle: Callable[[Connection], bool],
        send_error: Callable[[Connection, Exception], None],
        needs_body: Callable[[bytes], bool] = lambda head: True,
        tls: bool = False,
    ) -> None:
        self._cfg = cfg
        self._tls: ssl.SSLContext | None = ssl_context(cfg) if tls else None
        self._limits = limits
        self._addresses = {listener: listener.getsockname() for listener in listeners}
        self._handle = handle
        self._send_error = send_error
        self._needs_body = needs_body
        self._threads = RequestThreads(name, limits.threads, self._run)
        self._selector = selectors.DefaultSelector()
        self._queue = PollableMethodQueue()
        self._queue.init()
        wake_up = self._queue.fileno()
        self._selector.register(wake_up, selectors.EVENT_READ, self._queue.run_callbacks)
        self._acceptor = Acceptor(
            self._selector,
            listeners,
            has_room=lambda: self.num_connections < limits.connections,
            evict=self._evict,
            opened=self._open,
        )
        self._waiting = WaitingConnections(self._selector, self._on_readable, limits.timeouts_s)
        self.busy: dict[Connection, None] = {}
        self._buffered_bytes = 0
        self._stopping: TTSError | None = None
        self._num_evicted = 0

    @property
    def num_connections(self) -> int:
        """Return the number of open connections."""
        return len(self.busy) + len(self._waiting)

    def defer(self, callback: Callable[[], object]) -> None:
        """Schedule a call in the loop's thread; safe from any thread and from signal handlers."""
        self._queue.defer(callback)

    def step(self, timeout_s: float) -> None:
        """Handle the events that are ready; wait up to `timeout_s` seconds for the first."""
        for key, _ in self._selector.select(self._acceptor.resume(timeout_s)):
            key.data(key.fileobj)
        for connection in self._waiting.take_expired():
            self._expire(connection)
        if self._num_evicted:
            logger.warning("%d slow or idle connections were evicted", self._num_evicted)
            self._num_evicted = 0

    def drain(self, reason: TTSError) -> None:
        """Begin a graceful shutdown: accept the backlog, then stop listening; shorten all timeouts.

        Args:
            reason: The error for requests whose body does not arrive within `LINGER_S`.
        """
        self._acceptor.close()
        self._stopping = reason
        self._waiting.limit_timeouts(LINGER_S)

    def _open(self, sock: socket.socket, client: Any, listener: Any) -> None:
        try:
            sock.setblocking(False)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:  # the client has disconnected already
            sock.close()
            return
        connection = Connection(sock, client, self._addresses[listener], self._cfg)
        self._waiting.add(connection, Phase.HEAD)
        self._on_readable(connection)

    def _on_readable(self, connection: Connection) -> None:
        try:
            data = self._read(connection)
        except NOTHING_YET:
            return
        except OSError:
            self._close(connection)
            return
        if connection.phase is Phase.LINGER:
            if not data:
                self._close(connection)
        elif data:
            self._receive(connection, data)
        elif connection.buffer:  # half-closed: the client may still wait for a response
            self._dispatch(connection, None, reusable=False)
        else:
            self._close(connection)

    def _read(self, connection: Connection) -> bytes:
        sock = connection.sock
        data: bytes = sock.recv(RECEIVE_BYTES)
        if isinstance(sock, ssl.SSLSocket):
            # `recv` returns one TLS record, and the selector does not see decrypted ones.
            with suppress(*NOTHING_YET):
                while (len(data) < RECEIVE_BYTES or sock.pending()) and (more := sock.recv(16_384)):
                    data += more
        return data

    def _receive(self, connection: Connection, data: bytes) -> None:
        """Add bytes to a request; dispatch it when it is complete or invalid."""
        num_before = len(connection.buffer)
        data = connection.skip_empty_line(data)
        self._buffered_bytes += len(connection.buffer) - num_before
        if not data:
            return
        if connection.phase is Phase.IDLE:
            self._waiting.move(connection, Phase.HEAD)
        self._buffered_bytes += len(data)
        progress = connection.receive(data, self._limits.framing)
        if progress is Progress.COMPLETE:
            self._dispatch(connection, None, reusable=True)
        elif progress is Progress.INVALID:
            self._dispatch(connection, InvalidRequestLine("not HTTP"), reusable=False)
        elif progress is Progress.TOO_LARGE:
            self._dispatch(connection, self._too_large(), reusable=False)
        elif progress is Progress.TOO_MANY_CHUNKS:
            self._dispatch(connection, BodyTooLarge(_TOO_MANY_CHUNKS), reusable=False)
        elif progress is Progress.BODY and connection.phase is Phase.HEAD:
            self._await_body(connection)
        if self._buffered_bytes > MAX_BUFFERED_BODIES * self._limits.framing.body:
            self._evict_for_memory()

    def _await_body(self, connection: Connection) -> None:
        """Wait for the body (`100 Continue`), unless the head alone decides the response."""
        framing = connection.framing
        assert framing is not None
        head = bytes(connection.buffer[: framing.head_end])
        if not self._needs_body(head):
            self._dispatch(connection, None, reusable=False)
            return
        self._waiting.move(connection, Phase.BODY)
        if framing.expects_continue and len(connection.buffer) == framing.head_end:
            with suppress(OSError):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body is larger than any that is read, {self._limits.framing.body} bytes "
            "(QWEN_MAX_BODY_BYTES, QWEN_MAX_AUDIO_BYTES)."
        )

    def _dispatch(
        self, connection: Connection, ending: Exception | None, *, reusable: bool
    ) -> None:
        """Submit a request to the thread pool.

        Args:
            ending: Raised by the parser behind the received bytes; None is the end of the stream.
            reusable: Whether the connection may be kept alive after the response.
        """
        self._buffered_bytes -= len(connection.buffer)
        self._waiting.remove(connection)
        self.busy[connection] = None
        connection.feed_parser(ending, reusable=reusable)
        self._threads.submit(connection, len(self.busy))

    def _run(self, connection: Connection) -> None:
        """Handle one request (in a thread of the pool)."""
        keep = False
        try:
            keep = connection.context.run(self._handle, connection)
        except BaseException:  # a boundary: the thread serves others, too
            logger.exception("a request failed without a response")
        finally:
            self._queue.defer(self._finish, connection, keep)

    def _finish(self, connection: Connection, keep: bool) -> None:
        """Keep a connection alive after a response, or close it."""
        del self.busy[connection]
        if not keep:
            self._linger(connection)
            return
        rest = connection.parser.unreader.take_rest()
        self._waiting.add(connection, Phase.IDLE)
        if rest:
            self._receive(connection, bytes(rest))
        elif isinstance(connection.sock, ssl.SSLSocket):
            self._on_readable(connection)

    def _linger(self, connection: Connection) -> None:
        """Close the sending side, then wait for the client to close (RFC 9112, section 9.6)."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.sock.close()
        else:
            self._waiting.add(connection, Phase.LINGER)

    def _close(self, connection: Connection) -> None:
        """Close a waiting connection."""
        self._buffered_bytes -= len(connection.buffer)
        self._waiting.remove(connection)
        connection.sock.close()

    def _expire(self, connection: Connection) -> None:
        """Time out a connection."""
        limit = f"within {self._limits.client_timeout_s:g} s (QWEN_CLIENT_TIMEOUT_S)."
        if connection.phase is Phase.BODY:
            late = RequestTimeout(f"The body did not arrive {limit}")
            self._dispatch(connection, self._stopping or late, reusable=False)
        elif connection.phase is Phase.HEAD and connection.buffer:
            self._reject(connection, f"The head did not arrive {limit}")
        else:
            self._close(connection)

    def _reject(self, connection: Connection, message: str) -> None:
        """Answer an incomplete request with 408, without a thread."""
        self._buffered_bytes -= len(connection.buffer)
        connection.buffer.clear()
        self._waiting.remove(connection)
        self._send_error(connection, RequestTimeout(message))
        self._linger(connection)

    def _evict(self) -> bool:
        """Close a connection to make room for another; return whether there was one to close."""
        num_connections = self.num_connections
        while connection := self._waiting.next_to_evict():
            self._on_readable(connection)  # its request may have become complete
            if self.num_connections < num_connections:
                return True
            if connection is self._waiting.next_to_evict():
                self._num_evicted += connection.phase is not Phase.LINGER
                self._close(connection)
                return True
        return False

    def _evict_for_memory(self) -> None:
        """Reject one of the requests that fill the buffers."""
        connection = self._waiting.largest_receiving()
        if connection is not None:
            self._num_evicted += 1
            self._reject(connection, "It came too slowly while many others had to be received.")
