"""The handshake: what opens a socket, what is refused, and what is left of it afterwards."""

from __future__ import annotations

import gc
import json
import os
import socket
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Blueprint, Flask, Request
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from qwen_tts_api.config import Config
from qwen_tts_api.errors import TooManySockets, UnknownModel
from qwen_tts_api.routes import SOCKETS
from qwen_tts_api.routes.live.open_sockets import OpenSockets
from qwen_tts_api.routes.live.upgrade import Session, SocketRoutes, accept_key
from qwen_tts_api.routes.live.websocket import SocketLimits, WebSocket
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.telemetry.metrics import Metrics
from tests.conftest import Bench, wait_until
from tests.routes.live.raw import KEY, RawClient, answer_of, handshake
from tests.routes.live.serving import Port

ECHO = "/echo"


def add_echo(app: Flask, config: Config, sockets: SocketRoutes) -> None:
    """Add a socket that sends back what it gets; `?model=` is unknown to it."""
    routes = Blueprint("echoes", __name__)

    def begin(request: Request) -> Session:
        if request.args.get("model"):
            raise UnknownModel("There is no such model.")
        return echo

    def echo(websocket: WebSocket) -> None:
        while (message := websocket.receive()) != "bye":
            assert message is not None
            if message == "fail":
                raise RuntimeError("asked to")
            websocket.send(message)

    operation = Operation("Echo", tag="speech", answers={101: Answer("A socket.")})
    sockets.add(routes, ECHO, begin, operation)
    app.register_blueprint(routes)


Serve = Callable[..., tuple[Port, Bench]]


@pytest.fixture
def serve_echo(make_bench: Callable[..., Bench]) -> Iterator[Serve]:
    """Return a function that serves an echo beside the application, with any settings."""
    ports: list[Port] = []

    def serve(**settings: object) -> tuple[Port, Bench]:
        bench = make_bench(start=False, **settings)
        app = bench.client.application
        sockets = SocketRoutes(bench.config, bench.service.metrics)
        add_echo(app, bench.config, sockets)
        app.extensions[SOCKETS] = sockets.open
        port = Port(app)
        port.__enter__()
        ports.append(port)
        return port, bench

    yield serve
    for port in ports:
        port.__exit__(None, None, None)


def status_and_code(answer: bytes) -> tuple[int, str]:
    """Return the status of an answer and the code of its error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def test_what_is_sent_comes_back(serve_echo: Serve) -> None:
    """Texts, bytes, fragments; the answer has its id, and no extension."""
    port, bench = serve_echo()
    with connect(port.url + ECHO, additional_headers={"X-Request-Id": "one"}) as client:
        assert client.response is not None
        assert client.response.headers["X-Request-Id"] == "one"
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        for message in ("Hi ☂", b"\0\1", "", b"", "x" * 300_000):
            client.send(message)
            assert client.recv() == message
        client.send(iter(["a", "", "b"]))
        assert client.recv() == "ab"
        sample = bench.service.metrics.registry.get_sample_value
        assert sample("qwen_tts_sockets") == 1
    assert client.close_code == 1000
    wait_until(lambda: sample("qwen_tts_sockets") == 0)
    for direction in ("received", "sent"):
        labels = {"route": ECHO, "direction": direction}
        assert sample("qwen_tts_socket_messages_total", labels) == 6
    labels = {"route": ECHO, "method": "GET", "status": "101"}
    wait_until(lambda: sample("qwen_tts_http_requests_total", labels) == 1)


def test_a_message_may_come_right_behind_the_handshake(serve_echo: Serve) -> None:
    port, _ = serve_echo()
    frame = bytes([0x81, 0x83, 0, 0, 0, 0]) + b"hey"
    bye = bytes([0x81, 0x83, 0, 0, 0, 0]) + b"bye"
    answer = answer_of(port.address, handshake(ECHO) + frame + bye)
    assert answer.partition(b"\r\n\r\n")[2] == b"\x81\x03hey\x88\x02\x03\xe8"


def test_the_session_that_ends_closes(serve_echo: Serve) -> None:
    """With 1000; one that fails with 1011, and the server goes on."""
    port, _ = serve_echo()
    for message, code in (("bye", 1000), ("fail", 1011)):
        client = RawClient.connect(port.address, ECHO)
        client.send(message)
        assert client.close_code() == code
        client.connection.close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (handshake(ECHO, Upgrade=""), (426, "upgrade_required")),
        (handshake(ECHO, Connection="close"), (426, "upgrade_required")),
        (handshake(ECHO, Sec_WebSocket_Version="8"), (426, "upgrade_required")),
        (handshake(ECHO, Sec_WebSocket_Version=""), (426, "upgrade_required")),
        (
            handshake(ECHO).replace(b"HTTP/1.1", b"HTTP/1.0"),
            (426, "upgrade_required"),
        ),
        (handshake(ECHO, Sec_WebSocket_Key="c2hvcnQ="), (400, "invalid_request")),
        (handshake(ECHO, Sec_WebSocket_Key="?" * 24), (400, "invalid_request")),
        (handshake(ECHO, Sec_WebSocket_Key=""), (400, "invalid_request")),
        (handshake(ECHO, Content_Length="3") + b"abc", (400, "invalid_request")),
        (handshake(ECHO).replace(b"GET", b"POST"), (405, "method_not_allowed")),
        (handshake(f"{ECHO}?model=x"), (400, "unknown_model")),
        (handshake("/nowhere"), (404, "not_found")),
        (handshake("/api/tts"), (400, "invalid_request")),
    ],
)
def test_what_is_no_handshake_is_refused(
    serve_echo: Serve, data: bytes, expected: tuple[int, str]
) -> None:
    """By a status that the client sees; the next one is served all the same."""
    port, _ = serve_echo()
    assert status_and_code(answer_of(port.address, data)) == expected
    RawClient.connect(port.address, ECHO).connection.close()


def test_keys_origins_and_limits_hold_for_sockets(serve_echo: Serve, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("alice-0123456789abcdef")
    port, _ = serve_echo(api_keys_file=keys, rate_limit=3)

    def refused(**headers: str) -> tuple[int, str]:
        return status_and_code(answer_of(port.address, handshake(ECHO, **headers)))

    key = "alice-0123456789abcdef"
    assert refused() == (401, "unauthorized")
    assert refused(Authorization="Bearer wrong") == (401, "unauthorized")
    # A page has no way to send a bearer token, but may have a cookie of a proxy's, say.
    assert refused(Origin="http://evil.example", xi_api_key=key) == (403, "cross_site")
    own = f"http://127.0.0.1:{port.address[1]}"
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"Bearer {key}", "Origin": "http://elsewhere.example"},
        {"xi_api_key": key, "Origin": own, "Host": own.removeprefix("http://")},
    ):
        RawClient.connect(port.address, ECHO, **headers).connection.close()
    assert refused(Authorization=f"Bearer {key}") == (429, "rate_limited")


def test_a_page_gives_its_key_as_a_subprotocol(serve_echo: Serve, tmp_path: Path) -> None:
    """The other one is chosen; a key is no pass for a page of another site."""
    keys = tmp_path / "keys"
    keys.write_text("schlüssel-0123456789abcdef")
    port, _ = serve_echo(api_keys_file=keys)
    encoded = urlsafe_b64encode("schlüssel-0123456789abcdef".encode()).decode().rstrip("=")
    offer = f"bearer.{encoded}, tts, other"
    own = Origin(port.url.replace("ws", "http"))
    offers = [Subprotocol(f"bearer.{encoded}"), Subprotocol("tts")]
    with connect(port.url + ECHO, subprotocols=offers, origin=own) as client:
        assert client.subprotocol == "tts"

    def refused(offer: str, **headers: str) -> tuple[int, str]:
        data = handshake(ECHO, Sec_WebSocket_Protocol=offer, **headers)
        return status_and_code(answer_of(port.address, data))

    for wrong in ("tts, bearer.eHl6", "tts, bearer.", "tts, bearer.\xe4", "tts", "tts, Bearer"):
        assert refused(wrong) == (401, "unauthorized")
    assert refused(f"bearer.{encoded}") == (400, "invalid_request")
    assert refused(offer, Origin="http://evil.example") == (403, "cross_site")


def test_there_are_no_more_sockets_than_may_be(serve_echo: Serve) -> None:
    """And one that was closed makes room for another."""
    port, _ = serve_echo(max_sockets=2)
    first, second = (RawClient.connect(port.address, ECHO) for _ in range(2))
    data = handshake(ECHO)
    assert status_and_code(answer_of(port.address, data)) == (503, "too_many_sockets")
    first.connection.close()
    wait_until(lambda: b" 101 " in answer_of(port.address, data + b"\x88\x80\0\0\0\0"))
    second.connection.close()


def test_who_turned_sockets_off_is_not_told_to_close_one() -> None:
    with pytest.raises(TooManySockets, match="opens no WebSockets: QWEN_MAX_SOCKETS is 0"):
        OpenSockets(0, Metrics()).reserve()


def test_a_drain_closes_sockets_and_refuses_others(serve_echo: Serve) -> None:
    port, bench = serve_echo()
    client = RawClient.connect(port.address, ECHO)
    bench.client.application.extensions[SOCKETS].drain()
    assert client.close_code_now() == 1001
    client.connection.close()
    data = handshake(ECHO)
    assert status_and_code(answer_of(port.address, data)) == (503, "shutting_down")


def test_a_socket_that_opens_during_a_drain_is_drained() -> None:
    """Its place was taken before."""
    sockets = OpenSockets(1, Metrics())
    sockets.reserve()
    sockets.drain()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        websocket = WebSocket(ours, SocketLimits(send_timeout_s=5))
        with sockets.register(websocket):
            assert not websocket.is_open


def test_no_descriptor_or_thread_is_left(serve_echo: Serve) -> None:
    """Of sockets that end in any way."""
    port, _ = serve_echo()
    ends: tuple[Callable[[RawClient], None], ...] = (
        lambda client: client.send("bye"),
        lambda client: client.send("fail"),
        lambda client: client.connection.sendall(b"\xff" * 100),
        lambda client: client.connection.close(),
    )

    def round_of_ends() -> tuple[int, int]:
        for end in ends:
            client = RawClient.connect(port.address, ECHO)
            end(client)
            client.connection.close()
        wait_until(lambda: port.num_connections == 0)
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = round_of_ends()
    for _ in range(5):
        after = round_of_ends()
    assert after[0] <= before[0]
    # The pool starts a thread where none is idle yet, up to eight; 20 sockets have ended.
    assert after[1] < before[1] + 8


def test_the_key_is_answered_as_the_standard_has_it() -> None:
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
