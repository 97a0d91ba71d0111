"""The Wyoming port beside the others: from the start of the process to its end."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from bench.server import Server, free_port
from tests.conftest import Serve, wait_until
from tests.server.wyoming.home_assistant import HANG_S, describe, say


def test_it_begins_and_ends_with_the_process(serve: Serve, tmp_path: Path) -> None:
    """It describes itself while the model loads; what it speaks at SIGTERM is spoken to its end."""
    loaded = tmp_path / "loaded"
    address = ("127.0.0.1", free_port())
    server = serve(
        until=Server.is_up,
        app="tests.slow_load:app",
        LOAD_WHEN=str(loaded),
        QWEN_WYOMING_BIND=f"127.0.0.1:{address[1]}",
    )
    info = describe(address)
    assert info is not None
    assert [voice.name for voice in info.tts[0].voices]
    assert say(address, "Hello.") is None
    loaded.touch()
    wait_until(server.is_ready, 120)
    with socket.create_connection(address, HANG_S) as client:
        client.sendall(b'{"type": "synthesize", "data": {"text": "Hello, I am here."}}\n')
        received = client.recv(1000)
        assert received.startswith(b'{"type": "audio-start"')
        server.process.send_signal(signal.SIGTERM)
        while data := client.recv(65_536):
            received += data
    assert b"audio-stop" in received
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log
