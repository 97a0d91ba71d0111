"""A certificate of gunicorn's settings encrypts the main port, and that alone."""

from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from websockets.sync.client import connect

from bench.server import free_port
from tests.conftest import Serve
from tests.suites.server.crowd import Crowd

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""Made for this test, with its key: nobody trusts it."""


def speak_over_a_socket(url: str) -> None:
    """Have a text spoken to its end, while text and audio cross."""
    trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
    config = {"response_format": "pcm", "stream_audio": True, "split_granularity": "sentence"}
    with connect(f"{url}/v1/audio/speech/stream", ssl=trusted, open_timeout=60) as socket:
        socket.send(json.dumps({"type": "session.config", **config, "max_new_tokens": 20}))
        socket.send(json.dumps({"type": "input.text", "text": "One sentence. " * 4}))
        socket.send(json.dumps({"type": "input.text", "text": "x" * 60_000}))  # many records
        socket.send(json.dumps({"type": "input.done"}))
        messages = [socket.recv(60)]
        while isinstance(messages[-1], bytes) or "session.done" not in messages[-1]:
            messages.append(socket.recv(60))
    told = [json.loads(each) for each in messages if isinstance(each, str)]
    audio = [each for each in messages if isinstance(each, bytes)]
    assert told[-1]["total_sentences"] == 4
    assert [each["code"] for each in told if each["type"] == "error"] == ["text_too_long"]
    sizes = [each["total_bytes"] for each in told if each["type"] == "audio.done"]
    assert sum(map(len, audio)) == sum(sizes) > 4 * 1920


def test_an_encrypted_main_port(serve: Serve) -> None:
    """Requests of one connection, a body that is too large, clients that never shake hands."""
    server = serve(
        until=lambda server: "ready in" in server.log,
        GUNICORN_CMD_ARGS=f"--certfile {CERTIFICATE} --keyfile {CERTIFICATE}",
        QWEN_OPS_BIND=f"127.0.0.1:{free_port()}",
    )
    ops = f"http://{server.settings['QWEN_OPS_BIND']}"
    session = requests.Session()
    session.trust_env = False
    session.verify = str(CERTIFICATE)
    url = f"https://127.0.0.1:{server.address[1]}"
    with Crowd(server.address, 10, b"GET / HTTP/1.1\r\n"), Crowd(server.address, 200, b""):
        for _ in range(5):
            assert session.get(f"{url}/speakers", timeout=60).status_code == 200
        said = session.post(f"{url}/api/tts", json={"text": "Hi.", "max_new_tokens": 2}, timeout=60)
        assert said.status_code == 200
        large = session.post(f"{url}/api/tts", data=b" " * 3_000_000, timeout=60)
        assert large.status_code == 413
        with ThreadPoolExecutor() as pool:
            list(pool.map(speak_over_a_socket, [url.replace("https", "wss")] * 2))
        assert requests.get(f"{ops}/readyz", timeout=60).status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log
