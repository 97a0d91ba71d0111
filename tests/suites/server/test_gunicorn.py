"""The real server: gunicorn, the real model code, a nano checkpoint, HTTP over a socket."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import requests
import soundfile

from bench.server import Server
from tests.conftest import Serve, assert_same, endings, wait_until
from tests.suites.server.sockets import held_stream

ROOT = Path(__file__).resolve().parents[3]
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 2


def test_health_answers_during_the_load_and_readiness_only_after(
    serve: Serve, tmp_path: Path
) -> None:
    """/healthz at any time; /readyz 503 with what it is doing, then 200."""
    may_load = tmp_path / "file"
    server = serve(until=Server.is_up, app="tests.slow_load:app", LOAD_WHEN=str(may_load))
    answer = server.say("too early")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_loading")
    assert int(answer.headers["Retry-After"]) > 0
    stages = {server.get("/readyz").json()["doing"]}
    may_load.touch()
    while (readiness := server.get("/readyz")).status_code != 200:
        assert readiness.status_code == 503
        stages.add(readiness.json()["doing"])
        assert server.get("/healthz").status_code == 200
    assert len(stages) >= 2, stages
    assert server.say("now").status_code == 200
    assert server.stop() == 0


def test_ready_tells_what_is_in_use(server: Server) -> None:
    """Model, kind, device, dtype, attention."""
    body = server.get("/readyz").json()
    assert (body["model"], body["kind"]) == ("nano", "custom_voice")
    assert (body["device"], body["dtype"], body["attention"]) == ("cpu", "float32", "sdpa")
    assert "noise, not speech" in server.log


def test_speech(server: Server) -> None:
    """WAV that Python reads, Ogg that libsndfile reads, the same seed the same audio."""
    response = server.say("Hello there, how are you?", speaker="Vivian", language="en", seed=3)
    assert response.status_code == 200, response.text
    with wave.open(io.BytesIO(response.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    assert len(samples) % 1920 == 0
    assert len(samples) == round(24_000 * float(response.headers["X-Audio-Duration"]))
    assert np.sqrt(np.mean(samples**2)) > 0.02
    assert response.headers["X-Finish-Reason"] == "stop"
    again = server.say("Hello there, how are you?", speaker="vivian", language="English", seed=3)
    assert again.content == response.content
    ogg = server.say("Hello there, how are you?", speaker="Vivian", seed=3, audio_format="ogg")
    assert ogg.headers["Content-Type"] == "audio/ogg"
    decoded, rate_hz = soundfile.read(io.BytesIO(ogg.content))
    assert rate_hz == 24_000
    assert len(decoded) > 0


def test_a_long_text_in_a_query(server: Server) -> None:
    """Of a client that knows no other way."""
    query = {"text": "你好。" * 270, "seed": "1", "max_new_tokens": "2"}  # 27 bytes each
    response = requests.get(f"{server.url}/api/tts", params=query, timeout=60)
    assert response.status_code == 200, response.text
    assert response.headers["X-Text-Chars"] == "810"


def test_every_published_speaker_and_language(server: Server) -> None:
    """The lists come from the checkpoint's configuration."""
    names = {entry["name"] for entry in server.get("/speakers").json()}
    assert names == {
        *("Serena", "Vivian", "Uncle_Fu", "Ryan", "Aiden"),
        *("Ono_Anna", "Sohee", "Eric", "Dylan"),
    }
    languages = server.get("/languages").json()
    assert languages[0]["name"] == "Auto"
    assert {entry["code"] for entry in languages[1:]} == {
        *("zh", "en", "fr", "de", "it", "ja", "ko", "pt", "ru", "es")
    }


def test_bad_input_over_a_socket(server: Server) -> None:
    """4xx in the envelope, and the server goes on."""
    bodies: list[tuple[bytes, int]] = [
        (b"{", 400),
        (b'{"text": ""}', 400),
        (b'{"text": "a", "x": 1}', 400),
        (b"[" * 100_000, 400),
        (b" " * 2_000_000, 413),
    ]
    for body, status in bodies:
        response = requests.post(
            f"{server.url}/api/tts",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        assert response.status_code == status
        assert response.json()["request_id"]
        assert response.headers["Content-Type"] == "application/json"
    assert server.get("/nowhere").status_code == 404
    assert server.say("still there").status_code == 200
    assert "Traceback" not in server.log


def test_a_chunked_body(server: Server) -> None:
    """Bodies without a length are read whole, up to the limit."""

    def chunks(count: int) -> Iterator[bytes]:
        yield b'{"text": "Hi'
        for _ in range(count):
            yield b" " * 10_000
        yield b'"}'

    for count, status in ((0, 200), (300, 413), (1, 200)):
        response = requests.post(
            f"{server.url}/api/tts",
            data=chunks(count),
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert response.status_code == status, response.text


def test_bodies_that_break_off(server: Server) -> None:
    """Malformed chunks and a body shorter than its length are a 4xx, not taken for a request."""
    head = b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for rest in (
        b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b'Content-Length: 100\r\n\r\n{"text": "Hi."}',
    ):
        with socket.create_connection(server.address, 10) as connection:
            connection.sendall(head + rest)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b'"code":"invalid_request"' in answer
    assert "Traceback" not in server.log


def pcm(data: bytes) -> npt.NDArray[np.int16]:
    """Return the samples of a WAV file."""
    samples: npt.NDArray[np.int16] = soundfile.read(io.BytesIO(data), dtype="int16")[0]
    return samples


def test_clients_at_once(server: Server) -> None:
    """Each gets its own audio, and probes are answered meanwhile."""
    alone = [server.say("One.", seed=1).content, server.say("Twenty-two.", seed=2).content]
    assert alone[0] != alone[1]
    together: dict[int, bytes] = {}

    def ask(index: int) -> None:
        text, seed = (("One.", 1), ("Twenty-two.", 2))[index % 2]
        together[index] = server.say(text, seed=seed).content

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert server.get("/healthz").status_code == 200
        time.sleep(0.02)
    for index in range(4):
        assert_same(pcm(together[index]), pcm(alone[index % 2]))


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_the_model(server: Server, stream: bool) -> None:
    """Before the first byte or in the middle of a stream."""
    body = json.dumps({"text": LONG_TEXT * 20, "stream": stream}).encode()
    head = (
        "POST /api/tts HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    before = endings(server)
    with socket.create_connection(server.address) as connection:
        connection.sendall(head.encode() + body)
        if stream:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: server.get("/readyz").json()["running"] >= 1)
    wait_until(lambda: endings(server) - before == Counter(client_left=1))
    wait_until(lambda: server.get("/readyz").json()["running"] == 0)
    assert server.say("Next.").status_code == 200


def test_streaming(server: Server) -> None:
    """Chunks come while the rest is made; together they are the samples of the whole file."""
    fields: dict[str, Any] = {"text": LONG_TEXT, "seed": 4, "audio_format": "pcm"}
    whole = server.say(**fields)
    before = endings(server)
    with held_stream(server, **fields, stream=True) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        data = response.read(1000)
        assert endings(server) == before
        data += response.read()
    assert_same(np.frombuffer(data, np.int16), np.frombuffer(whole.content, np.int16))


@pytest.mark.slow
def test_a_long_text(server: Server) -> None:
    """Longer than a row can hold: in segments, streamed from the first, the same as a whole file.

    The segments of the file are computed together, those of the stream two at a time.
    """
    fields = {"seed": 4, "audio_format": "pcm", "max_new_tokens": 20}
    text = (LONG_TEXT * 10 + "\n\n") * 4
    whole = server.say(text, **fields)
    stream = server.say(text, stream=True, **fields)
    num_segments = int(whole.headers["X-Segments"])
    assert num_segments >= len(text) / 400
    assert stream.headers["X-Segments"] == whole.headers["X-Segments"]
    assert float(whole.headers["X-Audio-Duration"]) > num_segments
    assert_same(np.frombuffer(stream.content, np.int16), np.frombuffer(whole.content, np.int16))


def test_two_kinds_of_model(serve: Serve) -> None:
    """With room for one model: the other is loaded on its first request, and back again."""
    server = serve(QWEN_MODELS="nano-design,nano-base", QWEN_DEFAULT_SPEAKER="serena")
    response = server.say("Hi.", model="nano-design", instruct="A deep voice.")
    assert (response.status_code, response.headers.get("X-Model")) == (200, "nano-design")
    assert server.say("Hi.", model="nano-design", speaker="Ryan").status_code == 400
    assert "reference audio" in server.say("Hi.", model="nano-base").json()["error"]
    assert server.get("/readyz").json()["models"]["nano"] == "not loaded"
    assert server.say("Hi.").headers["X-Model"] == "nano"
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"QWEN_DEVICE": "cuda:7"}, "QWEN_DEVICE=cuda:7 is not there"),
        ({"QWEN_MODEL_ID": "/no/such/folder"}, "There is no folder '/no/such/folder'"),
        ({"QWEN_MODEL_ID": str(ROOT / "tests")}, "config.json cannot be read"),
        (
            {"QWEN_MODEL_ID": "Qwen/nothing", "HF_HUB_OFFLINE": "1"},
            "'Qwen/nothing' is not in its cache",
        ),
        ({"QWEN_DEFAULT_SPEAKER": "Bob"}, "QWEN_DEFAULT_SPEAKER='Bob'"),
        ({"QWEN_DEFAULT_LANGUAGE": "Klingon"}, "QWEN_DEFAULT_LANGUAGE: Unknown language"),
        ({"QWEN_DTYPE": "int8"}, "QWEN_DTYPE='int8' is not allowed"),
        ({"QWEN_API_KEYS_FILE": "/no/such/file"}, "QWEN_API_KEYS_FILE=/no/such/file"),
        ({"QWEN_DEVCE": "cpu"}, "did you mean QWEN_DEVICE?"),
        ({"QWEN_CACHE_DIR": "~nosuch/x"}, "QWEN_CACHE_DIR='~nosuch/x' is not allowed"),
        ({"QWEN_BIND": "192.0.2.1:8888"}, "QWEN_BIND=192.0.2.1:8888 cannot be listened on"),
        ({"QWEN_BIND": "a..b:8888"}, "QWEN_BIND=a..b:8888 cannot be listened on"),
        ({"QWEN_OPS_BIND": "192.0.2.1:8889"}, "QWEN_OPS_BIND=192.0.2.1:8889 cannot be"),
        ({"QWEN_WYOMING_BIND": "192.0.2.1:1"}, "QWEN_WYOMING_BIND=192.0.2.1:1 cannot be"),
    ],
)
def test_what_cannot_start_says_why_and_exits_with_4(
    serve: Serve, settings: dict[str, str], sentence: str
) -> None:
    """A clear sentence, no traceback, no worker started again: the master ends too."""
    server = serve(until=None, QWEN_LOG_FORMAT="text", **settings)
    assert server.process.wait(60) == 4
    assert sentence in server.log
    assert "Traceback" not in server.log
    assert "App failed to load" not in server.log
    assert server.log.count("Booting worker") <= 1


@pytest.mark.parametrize("setting", ["QWEN_BIND", "QWEN_OPS_BIND"])
def test_a_taken_port_is_refused(serve: Serve, server: Server, setting: str) -> None:
    """At once: gunicorn alone would try for five seconds, and exit with 1."""
    second = serve(until=None, **{setting: server.settings["QWEN_BIND"]})
    assert second.process.wait(60) == 4
    assert second.log.count(f"{setting}={server.settings['QWEN_BIND']} cannot be listened on") == 1
    assert "Traceback" not in second.log
    assert "failed" not in second.log
