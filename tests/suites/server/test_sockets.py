"""WebSockets of a real server: its end, and crowds that stall, flood and leave."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.sync.client import connect

from bench.server import Server
from tests.conftest import Serve, wait_until
from tests.routes.live.raw import RawClient

REALTIME = "/api-ws/v1/realtime"
STREAM = "/v1/audio/speech/stream"
CROWD = 100
LIMIT = 60


def message(kind: str, **fields: object) -> str:
    """Return a message of either protocol."""
    return json.dumps({"type": kind, **fields})


def test_a_server_that_ends_lets_sockets_speak_to_their_end(serve: Serve) -> None:
    """Idle ones are closed at once, with 1001; so is the speaking one, behind its last event."""
    server = serve(QWEN_MAX_SEGMENT_CHARS="100000")
    idle = RawClient.connect(server.address, REALTIME)
    next(idle.frames())
    with connect(f"{server.url.replace('http', 'ws')}{STREAM}") as speaking:
        speaking.send(message("session.config", response_format="pcm", stream_audio=True))
        speaking.send(message("input.text", text="The quick brown fox jumps. " * 3))
        speaking.send(message("input.done"))
        while not isinstance(speaking.recv(60), bytes):
            pass
        server.process.send_signal(signal.SIGTERM)
        assert idle.close_code_now() == 1001
        messages = list(speaking)
        assert json.loads(messages[-1])["type"] == "session.done"
        assert speaking.close_code in (1001, 1000)
    idle.connection.close()
    assert server.process.wait(30) == 0


def descriptors_and_threads(server: Server) -> tuple[int, int]:
    """Return what the worker has open, and how many threads."""
    process = Path(f"/proc/{server.worker()}")
    return len(os.listdir(process / "fd")), len(os.listdir(process / "task"))


@pytest.mark.slow
def test_a_crowd_of_bad_clients_leaves_nothing_behind(serve: Serve) -> None:
    """They stall, flood and leave; plain requests are answered meanwhile, and afterwards.

    Of `CROWD` clients `LIMIT` get a socket, the others 503.
    """
    server = serve(QWEN_MAX_SOCKETS=str(LIMIT), QWEN_MAX_STREAMS="4", QWEN_CLIENT_TIMEOUT_S="2")
    assert server.say("Hello.").status_code == 200

    def crowd(behave: Callable[[RawClient, int], None]) -> None:
        clients, refused = [], 0
        for _ in range(CROWD):
            try:
                clients.append(RawClient.connect(server.address, REALTIME))
            except ConnectionRefusedError as error:
                refused += "HTTP/1.1 503 " in str(error)
        assert refused == CROWD - LIMIT
        # Only now, as those that are cut off for it make room for others.
        for number, client in enumerate(clients):
            with suppress(OSError):
                behave(client, number)
        assert server.get("/readyz").status_code == 200
        assert server.say("Hello.").status_code == 200
        for client in clients:
            client.connection.close()
        wait_until(lambda: b"qwen_tts_sockets 0.0" in server.get("/metrics").content)

    def behave(client: RawClient, number: int) -> None:
        client.connection.settimeout(1)
        if number % 4 == 1:  # floods, and reads nothing
            client.connection.sendall(bytes([0x89, 0x80, 0, 0, 0, 0]) * 2000)
        elif number % 16 == 2:  # has something spoken, and leaves in the middle of it
            client.send(message("input_text_buffer.append", text="word " * 9))
            client.send(message("input_text_buffer.commit"))
        elif number % 4 == 3:  # half of a frame
            client.connection.sendall(b"\x81\xfe\xff")

    crowd(behave)
    before = descriptors_and_threads(server)
    crowd(behave)
    wait_until(lambda: descriptors_and_threads(server)[0] <= before[0])
    # The pool grows with the busiest moment: by a few, where clients that stay would be LIMIT more.
    assert descriptors_and_threads(server)[1] <= before[1] + LIMIT // 4
    # Who has left is seen at once, and what was spoken for it ends with its next frame.
    for gauge in (b'qwen_tts_running{model="nano"} 0.0', b"qwen_tts_waiting 0.0"):
        wait_until(lambda gauge=gauge: gauge in server.get("/metrics").content)  # type: ignore[misc]


def test_a_handshake_that_is_none_does_no_harm(server: Server) -> None:
    """Random bytes behind a handshake are a broken rule of the protocol, and the end."""
    client = RawClient.connect(server.address, STREAM)
    client.connection.sendall(os.urandom(50_000))
    with suppress(OSError):
        while client.connection.recv(65_536):
            pass
    client.connection.close()
    with socket.create_connection(server.address, 10) as connection:
        connection.sendall(b"GET /v1/audio/speech/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 426 ")
