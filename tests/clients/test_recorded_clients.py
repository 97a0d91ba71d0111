"""LiveKit, Pipecat, wyoming-openai and vLLM-Omni's example, by their recorded requests."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from http.client import HTTPResponse

import numpy as np
import pytest
import soundfile

from bench.server import Server
from tests.clients.recorded import RECORDING, STREAMING, VLLM_OMNI, Recording
from tests.clients.test_coqui_clients import exchange
from tests.conftest import Serve
from tests.recordings import recording


@pytest.fixture(scope="module")
def agents_server(serve: Serve) -> Server:
    """Return a server as `make run` starts it, with a model of each kind by its published name."""
    names = {"CustomVoice": "nano", "VoiceDesign": "nano-design", "Base": "nano-base"}
    models = ",".join(f"Qwen/Qwen3-TTS-12Hz-1.7B-{kind}={name}" for kind, name in names.items())
    return serve(QWEN_MODEL_ID="nano-en", QWEN_MODELS=models, QWEN_MAX_LOADED_MODELS="4")


def audio_of(response: HTTPResponse, body: bytes) -> bytes:
    """Return the audio as LiveKit's plugin takes it out: by the type of the answer."""
    if response.getheader("Content-Type", "").partition(";")[0] != "text/event-stream":
        return body
    lines = [line for line in body.decode().splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert events[-1]["type"] == "speech.audio.done"
    return b"".join(base64.b64decode(event.get("audio", "")) for event in events)


def loudness(asked: Recording, audio: bytes) -> int:
    """Return the loudest sample of the audio, of which there is at least a tenth of a second."""
    is_raw = '"pcm"' in asked.body
    raw = {"samplerate": 24_000, "channels": 1, "format": "RAW", "subtype": "PCM_16"}
    samples, rate_hz = soundfile.read(io.BytesIO(audio), dtype="int16", **(raw if is_raw else {}))
    assert (rate_hz, samples.ndim) == (24_000, 1)
    assert len(samples) > 2400
    return int(np.abs(samples.astype(int)).max())


@pytest.mark.parametrize("asked", STREAMING, ids=lambda asked: asked.name)
def test_voice_agents(agents_server: Server, asked: Recording) -> None:
    """Audio as it is made, in their format; what the model has no use for is named."""
    response, body = exchange(agents_server, asked.request())
    assert response.status == 200, body
    assert response.getheader("Transfer-Encoding") == "chunked"
    assert response.getheader("X-Ignored-Parameters", "") == asked.ignored
    assert loudness(asked, audio_of(response, body)) > 1000


@pytest.mark.parametrize("asked", STREAMING, ids=lambda asked: asked.name)
@pytest.mark.parametrize("text", ["…", "—", "\N{GRINNING FACE}", " "])
def test_voice_agents_with_nothing_to_say(
    agents_server: Server, asked: Recording, text: str
) -> None:
    """An error would break the agent's turn, and hang Home Assistant."""
    response, body = exchange(agents_server, asked.request(text))
    assert response.status == 200, body
    assert response.getheader("X-Finish-Reason") == "nothing_to_say"
    assert loudness(asked, audio_of(response, body)) < 16


@pytest.mark.parametrize("asked", VLLM_OMNI, ids=lambda asked: asked.name)
def test_the_example_of_vllm_omni(agents_server: Server, asked: Recording) -> None:
    """It names a voice for every kind of model."""
    audio = "data:audio/wav;base64," + base64.b64encode(recording(6)).decode()
    asked = replace(asked, body=asked.body.replace(RECORDING, audio))
    response, body = exchange(agents_server, asked.request())
    assert response.status == 200, body
    assert response.getheader("Content-Length") == str(len(body))
    assert response.getheader("X-Ignored-Parameters", "") == asked.ignored
    assert loudness(asked, body) > 100
