"""One thread that has all connections of a port, and gives whole requests to other threads.

A request takes a thread only when all of it is there. Until then it costs a descriptor and its
bytes, both of which are bounded: where there is no room, the slowest connection goes.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from qwen_tts_api.server.waiting import WaitingConnections

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 65_536
MAX_BUFFERED_BODIES = 16  # of the largest size

_TOO_MANY_CHUNKS = "The body is in too many chunks: send larger ones, or a Content-Length."


class ConnectionLoop:
    """Accepts connections, receives requests, and lets `answer` answer them in threads.

    All methods but `defer` are for the one thread that calls `step`.

    Args:
        cfg: gunicorn's settings.
        answer: Answers one request; returns whether the connection may have another.
        refuse: Writes an error where there is no request to answer; must not block.
        needs_body: Tells of a head whether its body is worth waiting for.
        tls: Whether connections are encrypted, as gunicorn's settings say.
    """

    def __init__(
        self,
        name: str,
        listeners: Sequence[Any],
        cfg: Any,
        limits: LoopLimits,
        *,
        answer: Callable[[Connection], bool],
        refuse: Callable[[Connection, Exception], None],
        needs_body: Callable[[bytes], bool] = lambda head: True,
        tls: bool = False,
    ) -> None:
        self._cfg = cfg
        self._tls: ssl.SSLContext | None = ssl_context(cfg) if tls else None
        self._limits = limits
        self._answer = answer
        self._refuse = refuse
        self._needs_body = needs_body
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix=name)
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
        """How many connections are open."""
        return len(self.busy) + len(self._waiting)

    def defer(self, callback: Callable[[], object]) -> None:
        """Let the loop's thread call something (from any thread, or from a signal handler)."""
        self._queue.defer(callback)

    def step(self, timeout_s: float) -> None:
        """Do what is to be done; wait for it `timeout_s` seconds at most."""
        for key, _ in self._selector.select(self._acceptor.resume(timeout_s)):
            key.data(key.fileobj)
        for connection in self._waiting.take_expired():
            self._expire(connection)
        if self._num_evicted:
            logger.warning("%d slow or idle connections were closed for others", self._num_evicted)
            self._num_evicted = 0

    def drain(self, reason: TTSError) -> None:
        """Accept what is in the backlog and nothing after it; wait for nobody any more.

        Args:
            reason: What those are told whose body is not there within `LINGER_S`.
        """
        self._acceptor.close()
        self._stopping = reason
        self._waiting.shorten(LINGER_S)

    def _open(self, sock: socket.socket, client: Any, listener: Any) -> None:
        try:
            server = listener.getsockname()
            sock.setblocking(False)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:  # it has gone already
            sock.close()
            return
        connection = Connection(sock, client, server, self._cfg)
        self._waiting.add(connection, Phase.HEAD)
        self._on_readable(connection)

    def _on_readable(self, connection: Connection) -> None:
        try:
            data = self._receive(connection)
        except NOTHING_YET:
            return
        except OSError:
            self._close(connection)
            return
        if connection.phase is Phase.LINGER:
            if not data:
                self._close(connection)
        elif data:
            self._take(connection, data)
        elif connection.buffer:  # the client has sent all that it will, and may wait for an answer
            self._dispatch(connection, None, reusable=False)
        else:
            self._close(connection)

    def _receive(self, connection: Connection) -> bytes:
        sock = connection.sock
        data: bytes = sock.recv(RECEIVE_BYTES)
        if isinstance(sock, ssl.SSLSocket):
            # It gives a record at a time, and the selector does not see those that it has already.
            with suppress(*NOTHING_YET):
                while (len(data) < RECEIVE_BYTES or sock.pending()) and (more := sock.recv(16_384)):
                    data += more
        return data

    def _take(self, connection: Connection, data: bytes) -> None:
        """Take bytes of a request."""
        if connection.phase is Phase.IDLE:
            self._waiting.move(connection, Phase.HEAD)
        self._buffered_bytes += len(data)
        progress = connection.receive(data, self._limits.framing)
        if progress is Progress.WHOLE:
            self._dispatch(connection, None, reusable=True)
        elif progress is Progress.DOUBTFUL:
            self._dispatch(connection, InvalidRequestLine("not HTTP"), reusable=False)
        elif progress is Progress.TOO_LARGE:
            self._dispatch(connection, self._too_large(), reusable=False)
        elif progress is Progress.TOO_MANY_CHUNKS:
            self._dispatch(connection, BodyTooLarge(_TOO_MANY_CHUNKS), reusable=False)
        elif progress is Progress.BODY and connection.phase is Phase.HEAD:
            self._await_body(connection)
        if self._buffered_bytes > MAX_BUFFERED_BODIES * self._limits.framing.body:
            self._free_memory()

    def _await_body(self, connection: Connection) -> None:
        """Ask for the body, unless the head alone is refused already."""
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
        """Let a thread answer what has been received."""
        self._buffered_bytes -= len(connection.buffer)
        self._waiting.remove(connection)
        self.busy[connection] = None
        connection.hand_over(ending, reusable=reusable)
        # Where no thread can be started, the request waits for one of those that there are.
        with suppress(RuntimeError):
            self._pool.submit(self._run, connection)

    def _run(self, connection: Connection) -> None:
        """Answer one request (one of the threads)."""
        keep = False
        try:
            keep = connection.context.run(self._answer, connection)
        except Exception:
            logger.exception("a request was not answered")
        finally:
            self._queue.defer(self._finish, connection, keep)

    def _finish(self, connection: Connection, keep: bool) -> None:
        """Go on with a connection whose request has been answered."""
        del self.busy[connection]
        if not keep:
            self._linger(connection)
            return
        connection.sock.setblocking(False)
        rest = connection.parser.unreader.take_rest()
        self._waiting.add(connection, Phase.IDLE)
        if rest:
            self._take(connection, bytes(rest))
        elif isinstance(connection.sock, ssl.SSLSocket):
            self._on_readable(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection that waits for nothing (RFC 9112, section 9.6)."""
        try:
            connection.sock.setblocking(False)
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.sock.close()
        else:
            self._waiting.add(connection, Phase.LINGER)

    def _close(self, connection: Connection) -> None:
        """Close a connection that waits."""
        self._buffered_bytes -= len(connection.buffer)
        self._waiting.remove(connection)
        connection.sock.close()

    def _expire(self, connection: Connection) -> None:
        """End a connection that has waited long enough."""
        limit = f"within {self._limits.client_timeout_s:g} s (QWEN_CLIENT_TIMEOUT_S)."
        if connection.phase is Phase.BODY:
            late = RequestTimeout(f"The body did not arrive {limit}")
            self._dispatch(connection, self._stopping or late, reusable=False)
        elif connection.phase is Phase.HEAD and connection.buffer:
            self._refuse_slow(connection, f"The head did not arrive {limit}")
        else:
            self._close(connection)

    def _refuse_slow(self, connection: Connection, message: str) -> None:
        """Refuse a request that is not whole, without a thread."""
        self._buffered_bytes -= len(connection.buffer)
        connection.buffer.clear()
        self._waiting.remove(connection)
        self._refuse(connection, RequestTimeout(message))
        self._linger(connection)

    def _evict(self) -> bool:
        """Make room for a connection; tell whether there was one to close for it."""
        num_connections = self.num_connections
        while connection := self._waiting.least_missed():
            self._on_readable(connection)  # what has come by now may be a whole request
            if self.num_connections < num_connections:
                return True
            if connection is self._waiting.least_missed():
                self._num_evicted += connection.phase is not Phase.LINGER
                self._close(connection)
                return True
        return False

    def _free_memory(self) -> None:
        """Make room in memory."""
        connection = self._waiting.largest_oldest()
        if connection is not None:
            self._num_evicted += 1
            self._refuse_slow(
                connection, "It came too slowly while many others had to be received."
            )
