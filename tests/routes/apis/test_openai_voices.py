"""`/v1/audio/voices`, and cloning by `/v1/audio/speech`."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api.routes.apis.openai.voices import DEFAULT_SCRIPT
from tests.conftest import Bench
from tests.routes.apis.test_openai import assert_refused, speak
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def recording(duration_s: float = 2.0) -> bytes:
    """Return a WAV file with a tone."""
    time = np.arange(int(16_000 * duration_s)) / 16_000
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(880 * time), 16_000, format="WAV")
    return file.getvalue()


def create(client: FlaskClient, **fields: Any) -> TestResponse:
    """POST a voice as the official client does: a multipart form; bytes are files."""
    data = {
        name: (io.BytesIO(value), "a.wav") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    return client.post("/v1/audio/voices", data=data, content_type="multipart/form-data")


def test_the_speakers_of_the_model_are_listed(make_bench: MakeBench) -> None:
    """Of another model by name."""
    client = make_bench(served=("voice", "design")).client
    names = ["Serena", "Uncle_Fu", "Ryan", "Dylan"]
    voices = client.get("/v1/audio/voices").get_json()
    assert voices == {"voices": [{"id": name, "name": name} for name in names]}
    assert client.get("/v1/audio/voices?model=tts-1").get_json() == voices
    assert client.get("/v1/audio/voices?model=design").get_json() == {"voices": []}


def test_a_voice_is_created_listed_used_and_deleted(bench: Bench) -> None:
    """All in OpenAI's shapes; a model of the right kind is chosen."""
    client = bench.client
    response = create(
        client, name="Anna Müller", audio_sample=recording(), consent="cons_1", ref_text="La."
    )
    assert response.status_code == 200, response.text
    voice = response.get_json()
    assert set(voice) == {"id", "object", "name", "created_at", "type"}
    assert (voice["id"], voice["name"]) == ("anna-muller", "Anna Müller")
    assert (voice["object"], voice["type"]) == ("audio.voice", "audio_sample")
    listed = client.get("/v1/audio/voices").get_json()["voices"]
    assert listed[-1] == {"id": "anna-muller", "name": "Anna Müller"}
    for name in ("anna-muller", {"id": "anna-muller"}, "ANNA MÜLLER"):
        response = speak(client, input="Hi.", voice=name, model="tts-1")
        assert response.headers.get("X-Model") == "clone", response.text
        reference = bench.hub.runners["clone"].prompts[-1].reference
        assert reference is not None
        assert (reference.text, len(reference.samples)) == ("La.", 2.5 * 24_000)
    response = client.delete("/v1/audio/voices/anna-muller")
    gone = {"id": "anna-muller", "object": "audio.voice.deleted", "deleted": True}
    assert (response.status_code, response.get_json()) == (200, gone)
    assert_refused(
        client.delete("/v1/audio/voices/anna-muller"), 404, "voice_not_found", None, "anna-muller"
    )
    response = speak(client, input="Hi.", voice="anna-muller")
    assert_refused(response, 400, "unknown_speaker", "voice", "anna-muller")


def test_a_registered_voice_may_have_the_name_of_one_of_openai(bench: Bench) -> None:
    """It is meant then."""
    assert create(bench.client, name="Alloy", audio_sample=recording()).status_code == 200
    response = speak(bench.client, input="Hi.", voice="alloy")
    assert response.headers["X-Model"] == "clone"


def test_a_voice_is_designed(bench: Bench) -> None:
    """`type: prompt`: a VoiceDesign model says the script, and Base models repeat the voice."""
    response = create(bench.client, name="Deep", type="prompt", prompt="A deep voice.")
    assert response.status_code == 200, response.text
    assert response.get_json()["type"] == "prompt"
    spoken = bench.hub.runners["design"].prompts[-1]
    assert (spoken.instruct, spoken.text) == ("A deep voice.", DEFAULT_SCRIPT)
    fields = {"name": "Two", "type": "prompt", "prompt": "Soft.", "script_hint": "x" * 30}
    response = bench.client.post("/v1/audio/voices", json={**fields, "model": "auto"})
    assert response.status_code == 200, response.text
    assert bench.hub.runners["design"].prompts[-1].text == "x" * 30


@for_each(
    ("fields", "param", "word"),
    [
        ({"audio_sample": b"RIFF"}, "name", "name"),
        ({"name": "a"}, "audio_sample", "'audio_sample'"),
        ({"name": "a", "audio_sample": b""}, "audio_sample", "'audio_sample'"),
        ({"name": "a", "type": "prompt"}, "prompt", "'prompt'"),
        ({"name": "a", "prompt": "deep"}, "prompt", "'audio_sample'"),
        ({"name": "a", "type": "song"}, "type", "prompt"),
        ({"name": "a", "audio_samples": "x"}, "audio_samples", "did you mean"),
    ],
)
def test_incomplete_voices_are_refused(
    client: FlaskClient, fields: dict[str, Any], param: str, word: str
) -> None:
    assert_refused(create(client, **fields), 400, "invalid_request", param, word)


def test_what_cannot_be_registered(make_bench: MakeBench) -> None:
    """No audio, a name that is taken, no upload allowed."""
    client = make_bench().client
    response = create(client, name="a", audio_sample=b"not audio")
    assert_refused(response, 400, "invalid_audio", "audio_sample")
    response = create(client, name="Serena", audio_sample=recording())
    assert response.status_code == 409
    assert response.get_json()["error"]["code"] == "voice_exists"
    response = client.post("/v1/audio/voices", json={"name": "a", "audio_sample": "/etc/passwd"})
    assert_refused(response, 400, "invalid_request", "audio_sample", "No path or URL")
    client = make_bench(voice_uploads=False).client
    response = create(client, name="a", audio_sample=recording())
    assert_refused(response, 403, "registry_read_only", None)


@pytest.mark.parametrize("prefix", ["", "data:audio/wav;base64,"])
def test_cloning_from_base64(bench: Bench, prefix: str) -> None:
    """vLLM-Omni's fields; the Base model is chosen."""
    audio = prefix + base64.b64encode(recording()).decode()
    response = speak(bench.client, input="Hi.", voice="default", ref_audio=audio, ref_text="La.")
    assert response.headers.get("X-Model") == "clone", response.text
    reference = bench.hub.runners["clone"].prompts[-1].reference
    assert reference is not None
    assert (reference.text, reference.x_vector_only) == ("La.", False)
    response = speak(
        bench.client, input="Hi.", task_type="Base", ref_audio=audio, x_vector_only_mode=True
    )
    assert response.headers.get("X-Model") == "clone", response.text
    reference = bench.hub.runners["clone"].prompts[-1].reference
    assert reference is not None
    assert reference.x_vector_only


def test_cloning_from_a_form(bench: Bench) -> None:
    """The recording as a file, numbers and booleans as text."""
    fields = {
        "input": "Hi.",
        "response_format": "wav",
        "seed": "7",
        "temperature": "0.5",
        "sample_rate": "16000",
        "x_vector_only_mode": "true",
        "ref_audio": (io.BytesIO(recording()), "a.wav"),
    }
    response = bench.client.post(
        "/v1/audio/speech", data=fields, content_type="multipart/form-data"
    )
    assert response.status_code == 200, response.text
    assert response.headers["X-Sample-Rate"] == "16000"
    spoken = bench.hub.runners["clone"].prompts[-1]
    assert (spoken.sampling.seed, spoken.sampling.temperature) == (7, 0.5)
    assert spoken.reference is not None
    assert spoken.reference.x_vector_only


def test_cloning_that_cannot_be_done(client: FlaskClient) -> None:
    """Each says which field is to blame."""
    audio = base64.b64encode(recording()).decode()
    for place in ("https://example.com/a.wav", "/etc/passwd", "file:///etc/passwd"):
        response = speak(client, input="a", ref_audio=place)
        assert_refused(response, 400, "invalid_request", "ref_audio", "No path or URL")
    response = speak(client, input="a", ref_audio=audio)
    assert_refused(response, 400, "reference_required", "ref_text", "'ref_text'")
    response = speak(client, input="a", ref_audio=audio, ref_text="b", model="voice")
    assert_refused(response, 400, "not_supported", "ref_audio", "'clone'")
    response = speak(client, input="a", model="clone")
    assert_refused(response, 400, "reference_required", "ref_audio", "'voice'")
