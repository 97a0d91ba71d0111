"""A client that leaves over a real connection, counted in frames."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from queue import Queue
from typing import Any

import pytest
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from qwen_tts_api.engine.job import Job
from qwen_tts_api.routes import connection as connection_module
from qwen_tts_api.routes.connection import DisconnectWatcher
from tests.conftest import Bench, wait_until


class Handler(WSGIRequestHandler):
    """Puts the socket where gunicorn does."""

    def make_environ(self) -> Any:
        return super().make_environ() | {"gunicorn.socket": self.connection}

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(bench: Bench) -> Iterator[BaseWSGIServer]:
    """Serve the bench's application on a real port."""
    server = make_server("127.0.0.1", 0, bench.client.application, True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the timeouts of every wait for audio."""
    timeouts: list[float] = []
    wait = Job.wait

    def noting(job: Job, timeout_s: float) -> bool:
        timeouts.append(timeout_s)
        return wait(job, timeout_s)

    monkeypatch.setattr(Job, "wait", noting)
    return timeouts


def ask(server: BaseWSGIServer, *, pipelined: bytes = b"") -> socket.socket:
    """Send a request for a long speech, and return its connection."""
    body = json.dumps({"text": "x" * 3000}).encode()
    head = "POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + pipelined)
    return connection


def in_next_frame(bench: Bench, action: Callable[[], object]) -> list[int]:
    """Let something happen inside the model's next frame; return a list with its number, then."""
    advance = bench.runner.advance
    numbers: list[int] = []

    def advance_and_act(slots: Any, end: int) -> Any:
        if not numbers:
            numbers.append(len(bench.runner.batches))
            action()
        return advance(slots, end)

    bench.runner.advance = advance_and_act  # type: ignore[method-assign]
    return numbers


@pytest.mark.parametrize("pipelined", [b"", b"GET /healthz HTTP/1.1\r\n\r\n"])
def test_who_leaves_before_the_first_byte_frees_the_row_within_a_frame(
    bench: Bench, server: BaseWSGIServer, waits: list[float], pipelined: bytes
) -> None:
    """Also behind a request that was sent ahead; and the waiting thread never looked by itself."""
    bench.runner.gate.clear()
    with closing(ask(server, pipelined=pipelined)) as connection:
        wait_until(lambda: waits)

        def leave() -> None:
            connection.close()
            wait_until(lambda: cancelled)

        cancelled: list[Job] = []
        cancel = bench.pool.cancel

        def noting(job: Job, reason: Any) -> None:
            cancel(job, reason)
            cancelled.append(job)

        bench.pool.cancel = noting  # type: ignore[method-assign]
        frames = in_next_frame(bench, leave)
        wait_until(lambda: cancelled)
        wait_until(lambda: bench.service.status().running == 0)
    assert len(bench.runner.batches) == frames[0] + 1
    assert len(waits) == 1
    assert waits[0] > 200  # the whole QWEN_REQUEST_TIMEOUT_S


def test_connections_are_forgotten_when_answered(bench: Bench, server: BaseWSGIServer) -> None:
    """One connection after the other, whose numbers the kernel gives out again."""
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", server.port))) as connection:
            connection.sendall(b"GET /api/tts?text=abc HTTP/1.0\r\n\r\n")
            assert connection.recv(100).split(b" ")[1] == b"200"
    assert len(bench.runner.prompts) == 20
    assert not connection_module._watcher()._callbacks


def test_a_descriptor_that_is_given_out_again_is_another_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the kernel told of the one before it is not taken for the next one's leaving."""
    told: Queue[int] = Queue()

    class Epoll:
        """Tells what the test does; the sockets are real."""

        def register(self, *_: int) -> None:
            """Do nothing."""

        def poll(self) -> list[tuple[int, int]]:
            return [(told.get(), select.EPOLLRDHUP)]

    monkeypatch.setattr(select, "epoll", Epoll)
    watcher = DisconnectWatcher()
    left: list[bool] = []
    here, there = socket.socketpair()
    with here, there:
        watcher.watch(here.fileno(), lambda: left.append(True))
        for _ in range(2):  # when the second is taken, the first has been dealt with
            told.put(here.fileno())
        wait_until(told.empty)
        assert not left
        there.close()
        told.put(here.fileno())
        wait_until(lambda: left)


def leaves(watcher: DisconnectWatcher) -> None:
    """Let one more client leave, and wait until the watcher has told."""
    left: list[bool] = []
    here, there = socket.socketpair()
    with here, there:
        watcher.watch(here.fileno(), lambda: left.append(True))
        there.close()
        wait_until(lambda: left)
        watcher.forget(here.fileno())


def test_a_callback_that_raises_costs_no_other_client_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged with its stack, and whoever leaves later is seen."""
    watcher = DisconnectWatcher()
    here, there = socket.socketpair()
    with here, there:
        watcher.watch(here.fileno(), lambda: 1 / 0)
        there.close()
        wait_until(lambda: caplog.records)
        watcher.forget(here.fileno())
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    leaves(watcher)


def test_an_error_of_epoll_is_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also those that were watched before it are seen to leave."""
    monkeypatch.setattr(connection_module, "RETRY_S", 0.0)
    fails, real = threading.Event(), select.epoll

    class Failing:
        """Watches nothing, and breaks when the test says so."""

        def register(self, *_: int) -> None:
            """Do nothing."""

        def poll(self) -> list[tuple[int, int]]:
            fails.wait()
            raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(select, "epoll", Failing)
    watcher = DisconnectWatcher()
    left: list[bool] = []
    here, there = socket.socketpair()
    with here, there:
        watcher.watch(here.fileno(), lambda: left.append(True))
        monkeypatch.setattr(select, "epoll", real)
        fails.set()
        there.close()
        wait_until(lambda: left)
        watcher.forget(here.fileno())
    leaves(watcher)
    assert "failed; restarting" in caplog.text


def test_a_socket_that_cannot_be_watched_is_a_client_that_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The request is served all the same; so is one whose socket was closed before its end."""
    watcher = DisconnectWatcher()
    watcher.watch(-1, lambda: None)
    watcher.forget(-1)
    assert "will not be detected" in caplog.text
    here, there = socket.socketpair()
    with here, there:
        watcher.watch(descriptor := here.fileno(), lambda: None)
        here.close()
        watcher.forget(descriptor)
    leaves(watcher)
