"""Which connection goes where there is no room for another."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from queue import Queue

import pytest
from gunicorn.config import Config

from qwen_tts_api.errors import ShuttingDown
from qwen_tts_api.server import waiting
from qwen_tts_api.server.http.connection import Connection
from qwen_tts_api.server.http.framing import FramingLimits
from qwen_tts_api.server.limits import LoopLimits
from qwen_tts_api.server.listening import listen
from qwen_tts_api.server.loop import ConnectionLoop
from tests.conftest import wait_until
from tests.patience import PATIENCE_S

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LIMITS = LoopLimits(1, 1, 60, 60, FramingLimits(1000, 1000, 1000, 1000))


class SmallLoop:
    """A loop that takes one connection, and says whose requests it was given."""

    def __init__(self, listener: socket.socket) -> None:
        self.address = listener.getsockname()
        self.answered: Queue[int] = Queue()
        self._loop = ConnectionLoop(
            "test", [listener], Config(), LIMITS, handle=self._answer, send_error=lambda *_: None
        )
        self._clients: list[socket.socket] = []

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

    def close(self) -> None:
        """Close the clients' connections, and wait for the loop to see it."""
        for client in self._clients:
            client.close()
        self._loop.drain(ShuttingDown("The test is over."))
        self.run_until(lambda: not self._loop.num_connections)

    def _answer(self, connection: Connection) -> bool:
        next(connection.parser)
        self.answered.put(connection.sock.getpeername()[1])
        return False


@pytest.fixture
def loop() -> Iterator[SmallLoop]:
    """Return a loop with room for one connection."""
    with closing(SmallLoop(listen("QWEN_BIND", "127.0.0.1:0"))) as loop:
        yield loop


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
