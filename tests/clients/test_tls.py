"""A certificate of gunicorn's settings encrypts the main port, and that alone."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import dashscope
import httpx
import pytest
import requests
from elevenlabs import ElevenLabs, VoiceSettings
from websockets.asyncio.client import connect

from bench.server import Server, free_port
from tests.clients.test_live_clients import Listener, connect_client
from tests.conftest import Serve
from tests.patience import PATIENCE_S
from tests.suites.server.crowd import Crowd

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""Made for this test, with its key: nobody trusts it."""


async def speak_over_a_socket(url: str) -> None:
    """Have a text spoken to its end, while text and audio cross.

    In one thread: OpenSSL lets no two use a connection at once, as those of `websockets.sync` do.
    """
    trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
    config = {"response_format": "pcm", "stream_audio": True, "split_granularity": "sentence"}
    address = f"{url}/v1/audio/speech/stream"
    async with connect(address, ssl=trusted, open_timeout=PATIENCE_S) as socket:
        for message in (
            {"type": "session.config", **config, "max_new_tokens": 20},
            {"type": "input.text", "text": "One sentence. " * 4},
            {"type": "input.text", "text": "x" * 60_000},  # many records
            {"type": "input.done"},
        ):
            await socket.send(json.dumps(message))
        messages = [await socket.recv()]
        while isinstance(messages[-1], bytes) or "session.done" not in messages[-1]:
            messages.append(await socket.recv())
    told = [json.loads(each) for each in messages if isinstance(each, str)]
    audio = [each for each in messages if isinstance(each, bytes)]
    assert told[-1]["total_sentences"] == 4
    assert [each["code"] for each in told if each["type"] == "error"] == ["text_too_long"]
    sizes = [each["total_bytes"] for each in told if each["type"] == "audio.done"]
    assert sum(map(len, audio)) == sum(sizes) > 4 * 1920


async def speak_twice(url: str) -> None:
    """Do that over two connections at once, while the test is patient."""
    both = asyncio.gather(speak_over_a_socket(url), speak_over_a_socket(url))
    await asyncio.wait_for(both, PATIENCE_S)


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Server]:
    """Return a server whose main port is encrypted; its ops port is not."""
    server = serve(
        until=lambda server: "ready in" in server.log,
        GUNICORN_CMD_ARGS=f"--certfile {CERTIFICATE} --keyfile {CERTIFICATE}",
        QWEN_OPS_BIND=f"127.0.0.1:{free_port()}",
    )
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.fixture
def address(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return its host and port, for a client that trusts what the environment names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    return f"127.0.0.1:{server.address[1]}"


def test_an_encrypted_main_port(server: Server) -> None:
    """Requests of one connection, a body that is too large, clients that never shake hands."""
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
        asyncio.run(speak_twice(url.replace("https", "wss")))
        assert requests.get(f"{ops}/readyz", timeout=60).status_code == 200


@pytest.mark.filterwarnings("ignore:ConnectionClosed.code is deprecated")  # the client asks it
def test_elevenlabs_client_has_a_text_spoken_as_it_comes(address: str) -> None:
    """Its `convert_realtime` forces TLS, whatever the address is."""
    with httpx.Client() as http:
        client = ElevenLabs(base_url=f"https://{address}", api_key="none", httpx_client=http)
        audio = b"".join(
            client.text_to_speech.convert_realtime(
                "JBFqnCBsd6RMkjVDRZzb",
                text=iter(["Hello, ", "I am ", "here. ", "And here ", "I stay."]),
                model_id="eleven_flash_v2_5",
                output_format="pcm_24000",
                voice_settings=VoiceSettings(stability=0.5, speed=1.0),
            )
        )
    assert len(audio) > 24_000 // 2
    assert len(audio) % 2 == 0


def test_dashscope_client_has_a_text_spoken_as_it_comes(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "api_key", "none")
    listener = Listener()
    client, connection = connect_client(f"wss://{address}", listener)
    client.update_session(voice="Serena", mode="server_commit")
    client.append_text("Hello there. ")
    client.finish()
    listener.wait_for("session.finished")
    client.thread.join(PATIENCE_S)
    connection.close()
    kinds = [event["type"] for event in listener.events]
    assert "response.audio.delta" in kinds
    assert "error" not in kinds
