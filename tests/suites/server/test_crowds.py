"""Hundreds of clients that hold their connections do not hold the server."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from bench.server import Server, free_port
from qwen_tts_api.config import SPARE_THREADS
from tests.conftest import Serve
from tests.suites.server.crowd import Crowd

POST = b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CROWDS = {
    "nothing": b"",
    "half a line": b"POST /api",
    "half a head": POST,
    "half a body": POST + b'Content-Length: 100\r\n\r\n{"text',
    "half of the chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "half a trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX:",
    "100-continue": POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    "answered": b"GET /speakers HTTP/1.1\r\nHost: x\r\n\r\n",
    "half the next": b"GET /speakers HTTP/1.1\r\nHost: x\r\n\r\nGET /",
    "malformed": b"GARBAGE\r\n\r\n",
}
TIMEOUT_S = 15
"""Of a good request, on a busy machine: half of what a slow one is given."""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Return a server with few threads, which gives slow clients 30 seconds."""
    few = {"QWEN_MAX_QUEUE": "1", "QWEN_MAX_STREAMS": "1", "QWEN_MAX_SOCKETS": "1"}
    return serve(**few, QWEN_OPS_BIND=f"127.0.0.1:{free_port()}")


def ops_address(server: Server) -> tuple[str, int]:
    host, _, port = server.settings["QWEN_OPS_BIND"].partition(":")
    return host, int(port)


def ask_often(url: str, number: int = 30) -> None:
    """Send good requests, one after the other, each over its own connection."""
    for _ in range(number):
        assert requests.get(url, timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("half_close", [False, True])
def test_good_requests_beside_a_crowd(server: Server, half_close: bool) -> None:
    """All are answered, none waits until a slow one's time is over.

    Of every kind there are more than the server has threads: one that held them would hold it.
    """
    size = 30
    assert size > SPARE_THREADS + 3
    with ExitStack() as crowds:
        for data in CROWDS.values():
            crowds.enter_context(Crowd(server.address, size, data, half_close=half_close))
        ask_often(f"{server.url}/speakers")
        assert server.say("Hi.", max_new_tokens=2).status_code == 200


def test_probes_beside_a_crowd_on_the_ops_port(server: Server) -> None:
    """More than may be open there: the slowest go."""
    address = ops_address(server)
    with ExitStack() as crowds:
        for kind in ("nothing", "half a head", "malformed"):
            crowds.enter_context(Crowd(address, 100, CROWDS[kind]))
        ask_often(f"http://127.0.0.1:{address[1]}/healthz")
    assert len(list(Path(f"/proc/{server.worker()}/task").iterdir())) < 60


def test_a_body_is_asked_for_and_read(server: Server) -> None:
    """`Expect: 100-continue`, as curl sends it; and no 100 where the body comes by itself."""
    body = b'{"text": "Hi.", "max_new_tokens": 2}'
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(server.address, TIMEOUT_S) as connection:
        connection.sendall(head)
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(12) == b"HTTP/1.1 200"
    with socket.create_connection(server.address, TIMEOUT_S) as connection:
        connection.sendall(head + body)
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("expectation", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_is_too_large_is_refused_unread(server: Server, expectation: bytes) -> None:
    """By its length: 413 without a byte of it, and without a 100."""
    with socket.create_connection(server.address, TIMEOUT_S) as connection:
        connection.sendall(POST + expectation + b"Content-Length: 99999999\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_who_has_no_key_is_not_asked_for_a_body(serve: Serve, tmp_path: Path) -> None:
    """401 by the head alone; with the key, the body is waited for."""
    keys = tmp_path / "keys"
    keys.write_text("a-key-that-is-long-enough\n")
    server = serve(QWEN_API_KEYS_FILE=str(keys))
    rest = b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    for key, answer in (
        (b"wrong", b"HTTP/1.1 401"),
        (b"a-key-that-is-long-enough", b"HTTP/1.1 100"),
    ):
        with socket.create_connection(server.address, TIMEOUT_S) as connection:
            connection.sendall(POST + b"Authorization: Bearer " + key + b"\r\n" + rest)
            assert connection.recv(12) == answer


@pytest.mark.parametrize(("keepalive_s", "connection_field"), [("1", "keep-alive"), ("0", "close")])
def test_how_long_a_connection_stays_open(
    serve: Serve, keepalive_s: str, connection_field: str
) -> None:
    """For its next request as long as is set; the answer says whether there may be one."""
    server = serve(QWEN_KEEPALIVE_S=keepalive_s)
    with socket.create_connection(server.address, TIMEOUT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert f"Connection: {connection_field}\r\n".encode() in answer
    assert server.get("/healthz").status_code == 200


def test_requests_in_one_packet(server: Server) -> None:
    """Each is answered, in their order, on one connection; the last one closes it.

    An empty line before one is passed over, and what is newer than HTTP/1.1 answered in it.
    """
    request = b"GET /%s HTTP/1.1\r\nHost: x\r\n"
    paths = (b"speakers", b"nowhere", b"languages")
    data = b"".join(request % path + b"\r\n" for path in paths)
    with socket.create_connection(server.address, TIMEOUT_S) as connection:
        last = request.replace(b"1.1", b"1.2") % b"healthz" + b"Connection: close\r\n\r\n"
        connection.sendall(b"\r\n" + data + b"\r\n" + last)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200", b"200"]


def test_more_connections_than_files_may_be_open(serve: Serve) -> None:
    """The oldest idle ones go; the process goes on, on both ports."""
    limit = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh"]
    server = serve(prefix=limit, QWEN_OPS_BIND=f"127.0.0.1:{free_port()}")
    with Crowd(server.address, 500, b""), Crowd(ops_address(server), 200, b""):
        ask_often(f"{server.url}/speakers", 10)
        ask_often(f"http://127.0.0.1:{ops_address(server)[1]}/readyz", 10)
    assert "were evicted" in server.log
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_no_descriptor_left_for_a_connection(serve: Serve) -> None:
    """Others have taken them: an idle connection goes, or the next one waits a moment."""
    server = serve()
    worker = server.worker()
    num_open = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (num_open + 5, num_open + 5))
    with Crowd(server.address, 50, b""):
        ask_often(f"{server.url}/speakers", 10)
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_the_soft_limit_is_raised(serve: Serve) -> None:
    """1024 is the usual one; the hard limit is the operator's word."""
    server = serve(prefix=["sh", "-c", 'ulimit -Sn 300; exec "$@"', "sh"])
    soft, hard = resource.prlimit(server.worker(), resource.RLIMIT_NOFILE)
    assert soft == min(hard, 10_192)
    assert server.stop() == 0
