"""Clients that take their time, over real sockets: none of them holds the server."""

from __future__ import annotations

import contextlib
import json
import socket
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
import requests

from bench.server import Server, free_port
from tests.conftest import Serve, endings, wait_until
from tests.suites.server.sockets import connect_with_small_buffers

CODED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %s\r\n\r\n0\r\n\r\n"
HEAD = b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Server]:
    """Return a server that waits for its clients for one second, and for few at a time."""
    server = serve(
        QWEN_CLIENT_TIMEOUT_S="1",
        QWEN_MAX_QUEUE="1",
        QWEN_MAX_STREAMS="1",
        QWEN_OPS_BIND=f"127.0.0.1:{free_port()}",
    )
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_a_head_that_is_late(server: Server) -> None:
    """It is told so, and what was never begun is not answered."""
    for sent, answer in ((b"GET / HTTP/1.1\r\n", b"HTTP/1.1 408 "), (b"", b"")):
        with socket.create_connection(server.address, 10) as connection:
            connection.sendall(sent)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(answer)
        assert bool(received) == bool(answer)
        assert (b"QWEN_CLIENT_TIMEOUT_S" in received) == bool(answer)


def test_a_connection_outlives_a_body_that_nobody_wanted(server: Server) -> None:
    """As the answer to it says."""
    with contextlib.closing(HTTPConnection(*server.address, timeout=30)) as connection:
        connection.connect()
        connection.auto_open = 0  # another one would be an error
        for path, status in (("/nothing", 404), ("/languages", 405), ("/nothing", 404)):
            connection.request("POST", path, b"x" * 500_000)
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (status, "keep-alive")
            answer.read()


def test_a_connection_does_not_outlive_a_body_without_an_end(server: Server) -> None:
    """Nobody knows what comes behind it: a second answer would be taken for that to a request."""
    head = b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(head + b"2\r\n{}XX0\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 404 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_the_answer_to_a_malformed_body_says_that_the_connection_ends(server: Server) -> None:
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nConnection: close\r\n" in received


def test_half_a_head(server: Server) -> None:
    """The connection ends, also where a byte comes now and then."""
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(b"POST /api/tts HTTP/1.1\r\nHost")

        def has_ended() -> bool:
            try:
                connection.sendall(b"o")
            except OSError:
                return True
            return False

        wait_until(has_ended)


def test_a_body_that_drips(server: Server) -> None:
    """408, whatever the pauses between its bytes."""
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        connection.settimeout(0.1)
        answer = bytearray()

        def is_answered() -> bool:
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"{")
                answer.extend(connection.recv(65536))
            return answer.endswith(b"}\n")

        wait_until(is_answered)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert b'"code":"request_timeout"' in answer


def test_a_reader_that_stops(server: Server) -> None:
    """It is cut off, and its row is free for the next."""
    body = json.dumps({"text": "a" * 3000, "audio_format": "pcm", "stream": True}).encode()
    before = endings(server)
    with connect_with_small_buffers(server.address) as connection:
        head = HEAD + b"X-Request-Id: sleeper\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: endings(server) - before == Counter(client_left=1))
    assert server.say("Next.").status_code == 200
    lines = [line for line in server.log.splitlines() if "read nothing" in line]
    assert [json.loads(line)["request_id"] for line in lines] == ["sleeper"]


def test_probes_while_every_thread_waits(server: Server) -> None:
    """The ops port has its own threads; what it serves is the probes alone."""
    port = server.settings["QWEN_OPS_BIND"].partition(":")[2]
    url = f"http://127.0.0.1:{port}"
    waiting = [socket.create_connection(server.address) for _ in range(40)]
    try:
        for connection in waiting:
            connection.sendall(b"POST /api/tts HTTP/1.1\r\n")
        assert requests.get(f"{url}/healthz", timeout=5).json() == {"status": "ok"}
        assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
        assert requests.post(f"{url}/api/tts", timeout=5).status_code == 404
    finally:
        for connection in waiting:
            connection.close()
    wait_until(server.is_ready)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /api/tts?text=a secret HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/tts?text=secret\xe4 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nxi-api-key secret: a\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 9000), 414),
        (b"GET / HTTP/1.1\r\nX: %s\r\n\r\n" % (b"a" * 9000), 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"a" * 8000) * 110, 431),
        (b"GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: http://a/\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\n\r\n", 501),
        (CODED % b"foo, chunked", 501),
        (CODED % b"gzip, chunked", 501),
        (CODED % b"identity, chunked", 501),
        (CODED % b"gzip", 400),
        (CODED % b"chunked, chunked", 400),
        (CODED.replace(b"/1.1", b"/1.0") % b"chunked", 400),
        (CODED % b"chunked\r\nContent-Length: 2", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ],
)
@pytest.mark.parametrize("setting", ["QWEN_BIND", "QWEN_OPS_BIND"])
def test_what_is_no_http_gets_the_envelope(
    server: Server, head: bytes, status: int, setting: str
) -> None:
    """Not HTML, and one line in the log, without what was sent; on either port."""
    host, _, port = server.settings[setting].partition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    document = json.loads(body)
    assert (document["code"], len(document["request_id"])) == ("invalid_request", 32)
    assert f"\r\nX-Request-Id: {document['request_id']}\r\n".encode() in head
    assert b"\r\nDate: " in head
    assert ("in the body of a POST" in document["error"]) == (status == 414)
    # Its own, and not that of a request that the same thread has served.
    assert server.log.count(document["request_id"]) == 1
    assert "secret" not in server.log


@pytest.mark.parametrize("setting", ["QWEN_BIND", "QWEN_OPS_BIND"])
def test_a_client_on_this_machine_does_not_say_what_its_path_is(
    server: Server, setting: str
) -> None:
    """By SCRIPT_NAME and PATH_INFO, which gunicorn takes from it; and no version is told to it."""
    headers = {"SCRIPT_NAME": "/healthz", "PATH_INFO": "/nowhere"}
    answer = requests.get(f"http://{server.settings[setting]}/healthz", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Server"] == "gunicorn"
