"""One WebSocket: receive in one thread, send from any, within limits that no API has to enforce.

The request's thread receives: it alone reads the connection, answers pings, sends its own and keeps
the clocks. Any thread may send.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from websockets.frames import CloseCode

from qwen_tts_api.errors import ClientLeft
from qwen_tts_api.routes.live.framing import Framing, Message
from qwen_tts_api.routes.live.heartbeat import Heartbeat
from qwen_tts_api.routes.live.stream import Stream

MAX_MESSAGE_BYTES = 4 << 20
"""The largest message: a configuration with a recording in base64."""

PING_S = 20.0
"""How often the client is pinged: often enough for proxies that close what is idle for a minute."""

MAX_FRAMES_S = 1000
"""Frames that are read in a second; the rest waits in the client's send buffer."""

TICK_S = 1.0
"""How late the receiving thread notices what another thread has changed."""

_GOODBYES = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
_SHUTTING_DOWN = (CloseCode.GOING_AWAY, "the server is shutting down")


class SocketClosed(Exception):
    """The WebSocket is closed: nothing more is received or sent."""


class SocketIdle(Exception):
    """The client has sent nothing for longer than it may."""


@dataclass(frozen=True)
class SocketLimits:
    """Limits of one WebSocket.

    Attributes:
        send_timeout_s: For the client to take what is sent to it, before it is cut off.
        max_message_bytes: Of what it sends.
        ping_s: Seconds from a pong to the next ping, and from a ping to its pong.
    """

    send_timeout_s: float
    max_message_bytes: int = MAX_MESSAGE_BYTES
    ping_s: float = PING_S


class WebSocket:
    """A WebSocket after its handshake; also the `service.request.Client` of what is spoken on it.

    Args:
        sock: The connection; it is not closed here.
        limits: Of this socket.
        received: Bytes that came behind the handshake.
        count: Called with `received` or `sent` for each message.

    Attributes:
        idle_timeout_s: After how many seconds without a message in either direction `receive`
            raises SocketIdle, except while something is being spoken.
    """

    def __init__(
        self,
        sock: socket.socket,
        limits: SocketLimits,
        received: bytes = b"",
        count: Callable[[str], None] = lambda direction: None,
    ) -> None:
        self._stream = Stream(sock, limits.send_timeout_s)
        self._lock = self._stream.lock
        self._framing = Framing(limits.max_message_bytes)
        self._messages: deque[Message] = deque(self._framing.receive(received))
        self._count = count
        self._draining = False
        self._num_working = 0
        self._leaving: dict[object, Callable[[], object]] = {}
        self._active_at = self._window_at = time.monotonic()
        self._frames_before_window = self._num_pongs = 0
        self._heartbeat = Heartbeat(limits.ping_s, self._active_at)
        self.idle_timeout_s = float("inf")

    @property
    def is_open(self) -> bool:
        """Return whether messages can still be sent."""
        return not self._stream.lost and self._framing.is_open

    @property
    def outcome(self) -> str:
        """Return why it ended, as a word for the log; empty after a normal close handshake."""
        if self._stream.lost:
            return self._stream.lost
        code = self._framing.close_code
        return "" if code in _GOODBYES else f"close_{code}"

    def receive(self, timeout_s: float = float("inf")) -> Message | None:
        """Return the next message; None if there is none within `timeout_s`.

        Raises:
            SocketClosed: The client left, broke a rule or was cut off, or this side closed.
            SocketIdle: The client has sent nothing for `idle_timeout_s`.
        """
        until = time.monotonic() + timeout_s
        while True:
            with self._lock:
                if self._messages and self.is_open:
                    self._active_at = time.monotonic()
                    self._count("received")
                    return self._messages.popleft()
                self._close_if_drained()
            self._stream.flush()
            if not self.is_open:
                self._leave()
                raise SocketClosed("The WebSocket is closed.")
            now = time.monotonic()
            self._keep_alive(now)
            if now >= self._idle_at():
                raise SocketIdle
            if now >= until:
                return None
            tick_s = TICK_S if self._num_working or self._draining else 5 * TICK_S
            self._read(min(until, self._idle_at(), self._heartbeat.due_at, now + tick_s) - now)

    def send(self, message: Message) -> None:
        """Send a message; blocks until the connection has taken it.

        Raises:
            SocketClosed: It cannot be sent.
        """
        with self._lock:
            self._framing.send(message)
            self._write()
            self._active_at = time.monotonic()
        self._stream.flush()
        if not self.is_open:
            raise SocketClosed("The WebSocket is closed.")
        self._count("sent")

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close it, if it is open; the client's own close frame is not waited for."""
        self._close(code, reason)
        self._stream.flush()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark the socket as busy inside the block: it is not idle, and a shutdown waits."""
        with self._lock:
            self._num_working += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_working -= 1
                self._active_at = time.monotonic()
                self._close_if_drained()

    @contextmanager
    def on_disconnect(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back once the socket is closed or lost, from the thread that receives."""
        key = object()
        with self._lock:
            self._leaving[key] = callback
        try:
            yield
        finally:
            with self._lock:
                self._leaving.pop(key, None)

    def drain(self) -> None:
        """Close it as soon as nothing is spoken on it; does not block."""
        with self._lock:
            self._draining = True
            self._close_if_drained()

    def abort(self) -> None:
        """Close it, whatever is spoken on it; does not block."""
        self._close(*_SHUTTING_DOWN)

    def _close_if_drained(self) -> None:
        if self._draining and not self._num_working:
            self._close(*_SHUTTING_DOWN)

    def _close(self, code: int, reason: str) -> None:
        with self._lock:
            self._framing.close(code, reason)
            self._write()

    def _idle_at(self) -> float:
        return float("inf") if self._num_working else self._active_at + self.idle_timeout_s

    def _leave(self) -> None:
        """Call all `on_disconnect` callbacks."""
        with self._lock:
            callbacks = list(self._leaving.values())
            self._leaving.clear()
        for callback in callbacks:
            callback()

    def _keep_alive(self, now: float) -> None:
        """Send a ping where it is time; give up a client whose pong is missing."""
        with self._lock:
            if self._framing.num_pongs > self._num_pongs:
                self._num_pongs = self._framing.num_pongs
                self._heartbeat.pong(now)
            try:
                if self._heartbeat.beat(now):
                    self._framing.ping()
                    self._write()
            except TimeoutError:
                self._stream.lose("no_pong")

    def _read(self, timeout_s: float) -> None:
        """Wait for bytes of the client, and take them."""
        data = self._stream.receive(timeout_s)
        if data is None:
            return
        with self._lock:
            if data:
                self._messages.extend(self._framing.receive(data))
                self._write()
            elif self._framing.is_open:
                self._stream.lose(ClientLeft.code)
            else:
                self._framing.receive_eof()
        self._slow_down()

    def _slow_down(self) -> None:
        """Stop reading for a while where a client sends more frames than anybody has to."""
        now, num_frames = time.monotonic(), self._framing.num_frames
        if now - self._window_at >= 1:
            self._window_at, self._frames_before_window = now, num_frames
        elif num_frames - self._frames_before_window > MAX_FRAMES_S:
            self._stream.flush()
            self._stream.wait(0, self._window_at + 1 - now)

    def _write(self) -> None:
        """Hand the frames that were made to the connection (holding the lock)."""
        output = self._framing.take_output()
        self._heartbeat.sent(len(output))
        self._stream.write(output)
