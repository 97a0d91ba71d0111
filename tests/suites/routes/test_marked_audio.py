"""Whatever API makes audio, its file says who made it, and nothing of what is said."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
import soundfile
from werkzeug.test import TestResponse

from qwen_tts_api.audio import FORMATS
from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]

HEADER = "X-Digital-Source-Type"
TEXT, INSTRUCT = "Confidential words", "whisper"
ASKS: dict[str, Callable[..., TestResponse]] = {
    "native": lambda client, **fields: client.post("/api/tts", json={"text": TEXT, **fields}),
    "Coqui": lambda client, **_: client.get(f"/api/tts?text={TEXT}&speaker_id=Serena&seed=7"),
    "MaryTTS": lambda client, **_: client.get(f"/process?INPUT_TEXT={TEXT}&VOICE=serena&seed=7"),
    "OpenAI": lambda client, **_: client.post(
        "/v1/audio/speech",
        json={"input": TEXT, "voice": "Serena", "seed": 7, "response_format": "wav"},
    ),
    "ElevenLabs": lambda client, **_: client.post(
        "/v1/text-to-speech/Serena?output_format=wav_24000", json={"text": TEXT, "seed": 7}
    ),
}


def comment_of(data: bytes) -> str:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        found: str = file.comment
        return found


@for_each("api", ASKS)
def test_every_api_s_files_say_it(bench: Bench, api: str) -> None:
    response = ASKS[api](bench.client, speaker="Serena", seed=7)
    assert response.status_code == 200, response.text
    comment = comment_of(response.data)
    assert comment.startswith("AI-generated speech; ")
    assert comment.endswith("; model=voice; voice=Serena; seed=7")
    assert response.headers[HEADER] == "trainedAlgorithmicMedia"


@for_each("stream", [False, True])
@for_each("name", FORMATS)
def test_nothing_of_the_text_is_in_it(bench: Bench, name: str, stream: bool) -> None:
    """Nor of the instruction; the same bytes for the same request, whatever its id."""
    fields = {"instruct": INSTRUCT, "seed": 7, "audio_format": name, "stream": stream}
    data = [
        bench.client.post(
            "/api/tts", json={"text": TEXT, **fields}, headers={"X-Request-Id": request_id}
        ).data
        for request_id in ("first-id", "second-id")
    ]
    for word in (*TEXT.split(), INSTRUCT, "first-id"):
        assert word.encode() not in data[0]
    assert b"seed=7" in data[0] or not FORMATS[name].has_header
    # Ogg's serial number is random.
    assert data[0] == data[1] or name in ("ogg", "opus")


@pytest.mark.parametrize("stream", [False, True])
def test_it_can_be_switched_off(make_bench: MakeBench, stream: bool) -> None:
    """Then a file is what it was: its samples behind 44 bytes, and nothing else."""
    bench = make_bench(mark_audio=False)
    fields = {"text": TEXT, "seed": 7, "stream": stream}
    response = bench.client.post("/api/tts", json=fields)
    pcm = bench.client.post("/api/tts", json={**fields, "audio_format": "pcm"})
    assert response.data[44:] == pcm.data
    assert HEADER not in response.headers
    assert HEADER not in pcm.headers


def test_bare_samples_say_it_in_the_header(bench: Bench) -> None:
    for name in (name for name, entry in FORMATS.items() if not entry.has_header):
        response = bench.client.post("/api/tts", json={"text": TEXT, "audio_format": name})
        assert response.headers[HEADER] == "trainedAlgorithmicMedia"


def test_several_voices_are_all_named(bench: Bench) -> None:
    turns = [{"speaker": name, "text": "Hi."} for name in ("Serena", "Ryan", "Serena")]
    response = bench.client.post("/api/tts", json={"turns": turns, "seed": 7})
    assert "; voice=Serena, Ryan; seed=7" in comment_of(response.data)


def test_a_registered_voice_is_named_as_it_is(bench: Bench) -> None:
    """In any script; one that is just recorded has no name."""
    file = (io.BytesIO(recording()), "a.wav")
    form: dict[str, Any] = {"name": "Zo\u00eb \u5317; seed=1", "audio": file, "ref_text": "Hello."}
    added = bench.client.post("/speakers", data=form)
    assert added.status_code == 201, added.text
    fields = {"text": TEXT, "model": "clone", "seed": 7}
    speaker = added.get_json()["voice_id"]
    response = bench.client.post("/api/tts", json={**fields, "speaker": speaker})
    assert "; voice=Zo\u00eb \u5317, seed=1; seed=7" in comment_of(response.data)
    sent = base64.b64encode(recording()).decode()
    fields |= {"ref_audio": sent, "ref_text": "Hello."}
    assert "voice" not in comment_of(bench.client.post("/api/tts", json=fields).data)
