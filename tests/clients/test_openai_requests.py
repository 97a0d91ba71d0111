"""What other clients of OpenAI's API send, against a real server."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
import requests
import soundfile

from bench.server import Server
from qwen_tts_api.routes.apis.openai.names import VOICES

# What Open WebUI and SillyTavern send where the user has set no key.
NO_KEY = {"Authorization": "Bearer "}


def post(server: Server, path: str = "/v1/audio/speech", **options: Any) -> requests.Response:
    """POST as these clients do."""
    return requests.post(server.url + path, timeout=60, **options)


def container(response: requests.Response) -> str:
    """Return the kind of file that an answer is."""
    assert response.status_code == 200, response.text
    with soundfile.SoundFile(io.BytesIO(response.content)) as file:
        assert file.frames > 0
        name: str = file.format
        return name


@pytest.mark.parametrize("params", [{}, {"response_format": "opus", "speed": 1.2}])
def test_open_webui(server: Server, params: dict[str, Any]) -> None:
    """Its settings list models and voices; a message is spoken without a format, saved as .mp3.

    `AUDIO_TTS_OPENAI_PARAMS` adds what the operator likes (backend/open_webui/routers/audio.py).
    """
    models = server.get("/v1/audio/models").json()["models"]
    assert {"id": "nano"} in models
    voices = server.get("/v1/audio/voices").json()["voices"]
    assert {"id": "Vivian", "name": "Vivian"} in voices
    for model, voice in (("tts-1", "alloy"), ("nano", "Vivian")):
        response = post(
            server,
            json={"input": "Hello from the chat.", "voice": voice, "model": model, **params},
            headers={
                **NO_KEY,
                "X-OpenWebUI-User-Name": "Anna",
                "X-OpenWebUI-User-Email": "a@example.com",
            },
        )
        assert container(response) == ("OGG" if params else "MP3")


def test_open_webui_shows_what_was_wrong(server: Server) -> None:
    """It reads `error.message` of the answer."""
    response = post(server, json={"input": "", "voice": "alloy", "model": "tts-1"}, headers=NO_KEY)
    assert "'input' is required" in response.json()["error"]["message"]


@pytest.mark.parametrize("voice", ["alloy", "echo", "fable", "onyx", "nova", "shimmer"])
def test_sillytavern(server: Server, voice: str) -> None:
    """Its provider "OpenAI Compatible" with the voices that it begins with.

    Its server sends these five fields, in this order (src/endpoints/openai.js).
    """
    body = {
        "input": "*She smiles.* Hello there.",
        "response_format": "mp3",
        "voice": voice,
        "speed": 1,
        "model": "tts-1",
    }
    response = post(
        server,
        data=json.dumps(body, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json", **NO_KEY},
    )
    assert container(response) == "MP3"


def test_wyoming_openai(server: Server) -> None:
    """Home Assistant's bridge: it asks what the server is, and must find none that it knows.

    Else it asks for voices in LocalAI's, Speaches' or Kokoro's way; so it takes OpenAI's names,
    which all have to mean somebody (src/wyoming_openai/compatibility.py).
    """
    assert not server.get("/v1/readyz").ok
    assert not server.get("/v1/test").ok
    health = server.get("/health")
    assert not (health.ok and health.text == "OK")
    for voice in VOICES:
        response = post(server, json={"model": "tts-1", "voice": voice, "input": "Hi."})
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("stream", [False, True])
def test_clients_of_vllm_omni(server: Server, stream: bool) -> None:
    """Its examples for Qwen3-TTS: speakers by name, languages, tasks, raw PCM in parts.

    The fields are those of its OpenAICreateSpeechRequest (docs/serving/speech_api.md).
    """
    body = {
        "input": "Hello, how are you?",
        "voice": "vivian",
        "language": "English",
        "task_type": "CustomVoice",
        "instructions": "Speak with great enthusiasm",
        "max_new_tokens": 40,
        "seed": 42,
        "initial_codec_chunk_frames": 1,
        "response_format": "pcm" if stream else "wav",
        "stream": stream,
    }
    response = post(server, json=body)
    assert response.status_code == 200, response.text
    if stream:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert len(response.content) % (2 * 1920) == 0
    else:
        assert container(response) == "WAV"


def test_clients_of_vllm_omni_that_clone_and_design(server: Server) -> None:
    """By `task_type`; recordings as a data URL."""
    spoken = post(server, json={"input": "La la la la.", "seed": 1, "response_format": "wav"})
    recording = base64.b64encode(spoken.content).decode()
    body = {
        "input": "Hi.",
        "task_type": "Base",
        "ref_audio": f"data:audio/wav;base64,{recording}",
        "ref_text": "La la la la.",
        "response_format": "wav",
    }
    response = post(server, json=body)
    assert container(response) == "WAV"
    assert response.headers["X-Model"] == "nano-base"
    body = {"input": "Hi.", "task_type": "VoiceDesign", "instructions": "A deep voice."}
    response = post(server, json=body)
    assert response.headers["X-Model"] == "nano-design"


def test_curl_without_a_content_type(server: Server) -> None:
    """`curl -d '{...}'` says that it is a form; the body is JSON all the same."""
    response = post(
        server,
        data=b'{"input": "Hi.", "response_format": "wav"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert container(response) == "WAV"
