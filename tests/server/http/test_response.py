"""A response leaves in as few pieces as can be, and waits for its reader no longer than it may."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from qwen_tts_api.server.http.response import SocketResponse, send_all
from tests.patience import PATIENCE_S


class CountedSocket:
    """Takes everything at once, and remembers in which pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def send(self, data: memoryview) -> int:
        self.pieces.append(bytes(data))
        return len(data)


def respond(sock: Any, headers: dict[str, str], status: str = "200 OK") -> SocketResponse:
    request = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
    response = SocketResponse(request, sock, Config(), timeout_s=0.05)
    response.start_response(status, list(headers.items()))
    return response


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield ours, theirs


def test_a_stream_costs_a_send_for_each_chunk() -> None:
    """The head leaves with the first of them; no chunk is sent in parts, and an empty one never."""
    sock = CountedSocket()
    response = respond(sock, {})
    for chunk in (b"first", b"", b"x" * 100_000, b"last"):
        response.write(chunk)
    response.close()
    head, _, first = sock.pieces[0].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert first == b"5\r\nfirst\r\n"
    assert sock.pieces[1:] == [
        b"186A0\r\n%b\r\n" % (b"x" * 100_000),
        b"4\r\nlast\r\n",
        b"0\r\n\r\n",
    ]


def test_a_whole_answer_is_one_send() -> None:
    """Head and body, and nothing at its end."""
    sock = CountedSocket()
    response = respond(sock, {"Content-Length": "4"})
    response.write(b"body")
    response.close()
    assert len(sock.pieces) == 1
    assert sock.pieces[0].endswith(b"\r\n\r\nbody")


def test_an_answer_without_a_body_is_its_head() -> None:
    """Which is kept for a body until the end."""
    sock = CountedSocket()
    response = respond(sock, {"Content-Length": "0"})
    response.write(b"")
    assert not response.has_begun
    response.close()
    assert response.has_begun
    assert [piece[-4:] for piece in sock.pieces] == [b"\r\n\r\n"]


def test_the_head_of_what_is_no_http_any_more_leaves_at_once() -> None:
    """The application has the connection before its body ends."""
    sock = CountedSocket()
    respond(sock, {"Connection": "upgrade"}, "101 Switching Protocols").write(b"")
    assert [piece[-4:] for piece in sock.pieces] == [b"\r\n\r\n"]


def test_a_slow_reader_gets_everything(pair: tuple[socket.socket, socket.socket]) -> None:
    """In as many parts as fit into its buffer."""
    ours, theirs = pair
    data = bytes(range(256)) * 4000
    received = bytearray()

    def read() -> None:
        while len(received) < len(data):
            received.extend(theirs.recv(5000))

    reader = threading.Thread(target=read)
    reader.start()
    send_all(ours, data, timeout_s=10)
    reader.join(PATIENCE_S)
    assert received == data


def test_a_reader_that_stalls_is_waited_for_no_longer_than_that(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """However much it has taken before."""
    with pytest.raises(TimeoutError):
        send_all(pair[0], b"x" * 10_000_000, timeout_s=0.05)


def test_a_connection_that_is_gone_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    """As of `socket.sendall`."""
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        send_all(pair[0], b"x", timeout_s=10)
