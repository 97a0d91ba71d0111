"""Which connection goes where there is no room for another, and when nothing more comes of one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from queue import Queue

import pytest
from gunicorn.config import Config

from qwen_tts_api.errors import RequestTimeout, ShuttingDown
from qwen_tts_api.server import loop as module
from qwen_tts_api.server import waiting
from qwen_tts_api.server.http.connection import Connection
from qwen_tts_api.server.http.framing import FramingLimits
from qwen_tts_api.server.limits import LoopLimits
from qwen_tts_api.server.listening import listen
from qwen_tts_api.server.loop import ConnectionLoop
from tests.conftest import wait_until
from tests.patience import PATIENCE_S

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
LIMITS = LoopLimits(1, 1, 60, 60, FramingLimits(1000, 1000, 1000, 1000))


class SmallLoop:
    """A loop that takes few connections, and says whose requests it was given.

    Attributes:
        answered: The client's port of each request.
        errors: What the rest of a request ended with.
        rejected: What incomplete requests were answered.
        is_body_needed: Whether the body behind a head is received.
    """

    def __init__(self, listener: socket.socket, limits: LoopLimits) -> None:
        self.address = listener.getsockname()
        self.answered: Queue[int] = Queue()
        self.errors: Queue[Exception] = Queue()
        self.rejected: list[Exception] = []
        self.is_body_needed = True
        self._loop = ConnectionLoop(
            "test",
            [listener],
            Config(),
            limits,
            handle=self._answer,
            send_error=lambda _, error: self.rejected.append(error),
            needs_body=lambda head: self.is_body_needed,
        )
        self._clients: list[socket.socket] = []
        self._is_draining = False

    def connect(self) -> socket.socket:
        """Return a client's connection, which the loop has not seen yet."""
        self._clients.append(socket.create_connection(self.address, PATIENCE_S))
        return self._clients[-1]

    def step(self) -> None:
        """Let the loop do what there is to do."""
        self._loop.step(0.01)

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Let the loop go on until something has come about."""

        def goes_on() -> bool:
            self.step()
            return condition()

        wait_until(goes_on)

    def drain(self) -> None:
        """Begin a shutdown, once."""
        if not self._is_draining:
            self._is_draining = True
            self._loop.drain(ShuttingDown("The test is over."))

    def close(self) -> None:
        """Close the clients' connections, and wait for the loop to see it."""
        for client in self._clients:
            client.close()
        self.drain()
        self.run_until(lambda: not self._loop.num_connections)

    def _answer(self, connection: Connection) -> bool:
        request = next(connection.parser)
        try:
            request.body.read()
        except Exception as error:
            self.errors.put(error)
        self.answered.put(connection.sock.getpeername()[1])
        return False


MakeLoop = Callable[[LoopLimits], SmallLoop]


@pytest.fixture
def make_loop() -> Iterator[MakeLoop]:
    """Return a function that returns a loop."""
    with ExitStack() as stack:
        yield lambda limits: stack.enter_context(
            closing(SmallLoop(listen("QWEN_BIND", "127.0.0.1:0"), limits))
        )


@pytest.fixture
def loop(make_loop: MakeLoop) -> SmallLoop:
    """Return a loop with room for one connection."""
    return make_loop(LIMITS)


def test_empty_lines_before_a_request_are_skipped(loop: SmallLoop) -> None:
    """Wherever they are cut; what only begins like one is none."""
    for pieces in (
        (b"\r\n" + REQUEST,),
        (b"\r", b"\n" + REQUEST),
        (b"\r", b"\n", b"\r\n", REQUEST),
    ):
        client = loop.connect()
        for piece in pieces:
            client.sendall(piece)
            loop.step()
        loop.run_until(lambda: not loop.answered.empty())
        assert loop.answered.get(timeout=10) == client.getsockname()[1]
        client.close()


def test_a_new_connection_is_not_closed_for_another(
    loop: SmallLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client has had no time to send anything; the other one waits."""
    monkeypatch.setattr(waiting, "GRACE_S", 60)
    first = loop.connect()
    loop.step()
    loop.connect().sendall(REQUEST)
    loop.step()
    first.sendall(REQUEST)
    loop.run_until(lambda: not loop.answered.empty())
    assert loop.answered.get(timeout=PATIENCE_S) == first.getsockname()[1]


def test_a_silent_connection_is_closed_for_another(
    loop: SmallLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "GRACE_S", 0)
    first, second = loop.connect(), loop.connect()
    second.sendall(REQUEST)
    loop.run_until(lambda: not loop.answered.empty())
    assert loop.answered.get(timeout=PATIENCE_S) == second.getsockname()[1]
    assert first.recv(1) == b""


def test_a_request_that_has_come_is_answered_before_another(
    loop: SmallLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the loop sees the other connection first."""
    monkeypatch.setattr(waiting, "GRACE_S", 0)
    first = loop.connect()
    loop.step()
    second = loop.connect()
    first.sendall(REQUEST)
    second.sendall(REQUEST)
    loop.run_until(lambda: loop.answered.qsize() == 2)
    assert loop.answered.get(timeout=PATIENCE_S) == first.getsockname()[1]
    assert loop.answered.get(timeout=PATIENCE_S) == second.getsockname()[1]


@pytest.mark.parametrize("sent", [b"", REQUEST[:9]])
def test_a_head_that_does_not_come_is_not_waited_for(make_loop: MakeLoop, sent: bytes) -> None:
    """One that has begun is answered 408; a connection without any is closed."""
    loop = make_loop(replace(LIMITS, client_timeout_s=0.01))
    client = loop.connect()
    client.sendall(sent)
    closed = Ended(client)
    loop.run_until(closed.look)
    assert [type(error) for error in loop.rejected] == ([RequestTimeout] if sent else [])
    assert loop.answered.empty()


def test_a_body_that_does_not_come_is_an_error_of_its_request(make_loop: MakeLoop) -> None:
    """At a shutdown with that as its reason."""
    for is_draining, expected in ((False, RequestTimeout), (True, ShuttingDown)):
        loop = make_loop(replace(LIMITS, client_timeout_s=60 if is_draining else 0.01))
        client = loop.connect()
        client.sendall(POST + b"Expect: 100-continue\r\n\r\n")
        ended = Ended(client)
        if is_draining:
            loop.run_until(ended.has_begun)
            loop.drain()
        loop.run_until(lambda loop=loop: not loop.errors.empty())  # type: ignore[misc]
        assert isinstance(loop.errors.get(), expected)


def test_a_body_is_asked_for_where_the_client_waits_for_that(make_loop: MakeLoop) -> None:
    """With `Expect: 100-continue`, and where the body is needed at all."""
    for field, is_needed, expected in (
        (b"Expect: 100-continue\r\n", True, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", True, b""),
        (b"Expect: 100-continue\r\n", False, b""),
    ):
        loop = make_loop(LIMITS)
        loop.is_body_needed = is_needed
        client = loop.connect()
        client.sendall(POST + field + b"\r\n")
        ended = Ended(client)
        if expected:
            loop.run_until(ended.has_begun)
        elif is_needed:
            for _ in range(5):
                loop.step()
        if is_needed:
            client.sendall(b"Hello")
        loop.run_until(ended.look)
        assert ended.received == expected
        assert loop.answered.qsize() == 1


def test_more_bytes_than_may_be_buffered_are_not(
    make_loop: MakeLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of those that send them is answered 408, and its bytes are forgotten."""
    monkeypatch.setattr(module, "MAX_BUFFERED_BODIES", 2)
    loop = make_loop(replace(LIMITS, connections=10))
    clients = [loop.connect() for _ in range(4)]
    for client in clients:
        client.sendall(POST.replace(b"5", b"900") + b"\r\n" + b"x" * 600)
    loop.run_until(lambda: bool(loop.rejected))
    for _ in range(5):
        loop.step()
    assert [type(error) for error in loop.rejected] == [RequestTimeout]


class Ended:
    """Whether the loop has closed its side of a connection."""

    def __init__(self, client: socket.socket) -> None:
        self.received = b""
        self._client = client
        client.setblocking(False)

    def has_begun(self) -> bool:
        """Return whether anything has come."""
        self.look()
        return bool(self.received)

    def look(self) -> bool:
        """Take what has come; return whether nothing more does."""
        try:
            data = self._client.recv(1000)
        except BlockingIOError:
            return False
        self.received += data
        return not data
