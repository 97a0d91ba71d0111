"""ElevenLabs' own client, against a real server."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from elevenlabs import DialogueInput, ElevenLabs, VoiceSettings
from elevenlabs.core.api_error import ApiError

from bench.server import Server
from tests.conftest import assert_same

CLOUD_VOICE = "JBFqnCBsd6RMkjVDRZzb"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[ElevenLabs]:
    """Return a client of the server."""
    with httpx.Client() as http:
        yield ElevenLabs(base_url=server.url, api_key="none", httpx_client=http)


def test_a_whole_file(client: ElevenLabs) -> None:
    """Its `convert` names MP3 of 44.1 kHz, and a voice of the cloud in every example."""
    data = b"".join(
        client.text_to_speech.convert(
            CLOUD_VOICE,
            text="Hello, I am here.",
            model_id="eleven_multilingual_v2",
            output_format="mp3_44100_128",
            voice_settings=VoiceSettings(stability=0.5, similarity_boost=0.75, speed=1.0),
            seed=4294967295,
        )
    )
    samples, rate_hz = soundfile.read(io.BytesIO(data))
    assert (len(samples) > rate_hz // 4, rate_hz) == (True, 44_100)


def test_a_stream_has_the_samples_of_the_file(client: ElevenLabs) -> None:
    options: dict[str, Any] = {"text": "Hello.", "output_format": "pcm_24000", "seed": 5}
    whole = b"".join(client.text_to_speech.convert("Serena", **options))
    streamed = b"".join(client.text_to_speech.stream("Serena", **options))
    assert_same(np.frombuffer(streamed, np.int16), np.frombuffer(whole, np.int16))
    assert whole


def test_timestamps(client: ElevenLabs) -> None:
    options: dict[str, Any] = {"text": "Hello. I am here.", "output_format": "pcm_24000", "seed": 5}
    whole = client.text_to_speech.convert_with_timestamps("Serena", **options)
    assert whole.alignment is not None
    assert "".join(whole.alignment.characters) == options["text"]
    parts = list(client.text_to_speech.stream_with_timestamps("Serena", **options))
    told = [part.alignment for part in parts if part.alignment]
    assert "".join(char for each in told for char in each.characters) == options["text"]
    streamed = b"".join(base64.b64decode(part.audio_base_64) for part in parts)
    whole_audio = base64.b64decode(whole.audio_base_64)
    assert_same(np.frombuffer(streamed, np.int16), np.frombuffer(whole_audio, np.int16))


def test_a_dialogue(client: ElevenLabs) -> None:
    """Whole, streamed, and with who says what when."""
    lines = [("Are you there?", "Ryan"), ("I am.", "Serena")]
    inputs = [DialogueInput(text=text, voice_id=voice) for text, voice in lines]
    options: dict[str, Any] = {"inputs": inputs, "output_format": "pcm_24000", "seed": 5}
    whole = b"".join(client.text_to_dialogue.convert(**options, model_id="eleven_v3"))
    streamed = b"".join(client.text_to_dialogue.stream(**options))
    assert_same(np.frombuffer(streamed, np.int16), np.frombuffer(whole, np.int16))
    timed = client.text_to_dialogue.convert_with_timestamps(**options)
    parts = list(client.text_to_dialogue.stream_with_timestamps(**options))
    for answer in ([timed], parts):
        audio = b"".join(base64.b64decode(part.audio_base_64) for part in answer)
        assert_same(np.frombuffer(audio, np.int16), np.frombuffer(whole, np.int16))
        told = ["", ""]
        for part in answer:
            for each in part.voice_segments:
                assert part.alignment is not None
                assert each.voice_id == lines[each.dialogue_input_index][1]
                span = slice(each.character_start_index, each.character_end_index)
                told[each.dialogue_input_index] += "".join(part.alignment.characters[span])
        assert told == [text for text, _ in lines]


def test_errors_are_its_exceptions(client: ElevenLabs) -> None:
    with pytest.raises(ApiError) as raised:
        b"".join(client.text_to_speech.convert("nobody", text="Hello."))
    assert raised.value.status_code == 400
    assert raised.value.body["detail"]["status"] == "voice_not_found"


def test_voices_are_listed(client: ElevenLabs) -> None:
    names = {voice.voice_id for voice in client.voices.get_all().voices}
    assert {"Serena", "Ryan"} <= names
    assert {voice.voice_id for voice in client.voices.search().voices} == names
    assert client.voices.get("Serena").name == "Serena"
