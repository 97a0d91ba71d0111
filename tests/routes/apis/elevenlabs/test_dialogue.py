"""Texts of several voices in ElevenLabs' dialect; `tests/clients` sends what its SDK sends."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Bench
from tests.routes.apis.elevenlabs.test_speech import CLOUD_VOICE, assert_refused
from tests.rows import for_each

INPUTS = [
    {"text": "Are you there?", "voice_id": "Ryan"},
    {"text": " I *am*, $5. ", "voice_id": "serena"},
    {"text": "Good.", "voice_id": "Ryan"},
]


def converse(client: FlaskClient, path: str = "", **fields: Any) -> TestResponse:
    """POST to /v1/text-to-dialogue; PCM."""
    return client.post(
        f"/v1/text-to-dialogue{path}?output_format=pcm_24000", json={"inputs": INPUTS, **fields}
    )


def test_each_text_has_its_voice(bench: Bench) -> None:
    response = converse(
        bench.client,
        model_id="eleven_v3",
        language_code="en",
        seed=7,
        settings={"stability": 0.5, "speed": 2},
        future_text="Behind.",
        audio_effects={},
    )
    assert response.status_code == 200, response.text
    said = [(prompt.text, prompt.speaker) for prompt in bench.runner.prompts]
    assert said == [("Are you there?", "ryan"), ("I am, $5.", "serena"), ("Good.", "ryan")]
    ignored = response.headers["X-Ignored-Parameters"].split(", ")
    assert sorted(ignored) == ["audio_effects", "future_text", "settings.stability"]
    assert response.headers["X-Seed"] == "7"


def test_who_says_what_when(bench: Bench) -> None:
    """Every character of every text, in its turn's segment, whose times are theirs."""
    document = converse(bench.client, "/with-timestamps").get_json()
    alignment, segments = document["alignment"], document["voice_segments"]
    characters = "".join(alignment["characters"])
    assert characters == "".join(turn["text"] for turn in INPUTS)
    assert [each["dialogue_input_index"] for each in segments] == [0, 1, 2]
    for each, turn in zip(segments, INPUTS, strict=True):
        first, last = each["character_start_index"], each["character_end_index"]
        assert (each["voice_id"], characters[first:last]) == (turn["voice_id"], turn["text"])
        assert each["start_time_seconds"] == alignment["character_start_times_seconds"][first]
        assert each["end_time_seconds"] == alignment["character_end_times_seconds"][last - 1]


def test_a_voice_of_the_cloud_is_the_default_one(bench: Bench) -> None:
    response = converse(bench.client, inputs=[{"text": "Hello", "voice_id": CLOUD_VOICE}])
    assert response.headers["X-Ignored-Parameters"] == "voice_id"
    assert response.status_code == 200


@for_each(
    ("fields", "word", "part"),
    [
        ({"inputs": []}, "invalid_request", "'inputs' is missing or empty"),
        ({"inputs": "Hello"}, "invalid_request", "inputs: Not"),
        ({"inputs": [{"text": "Hello"}]}, "invalid_request", "Turn 1: voice_id is missing"),
        ({"inputs": [{"text": " ", "voice_id": "Ryan"}]}, "invalid_request", "text is missing"),
        (
            {"inputs": [{"text": "a", "voice_id": "Ryan", "style": 1}]},
            "invalid_request",
            "known are text, voice_id",
        ),
        ({"inputs": [{"text": "a", "voice_id": "nobody"}]}, "voice_not_found", "Turn 1: "),
        ({"settings": {"speed": 9}}, "invalid_request", "settings"),
        ({"inputs": [{"text": "ab " * 1700, "voice_id": "Ryan"}]}, "text_too_long", "'inputs'"),
    ],
)
@pytest.mark.parametrize("path", ["/stream/with-timestamps"])
def test_what_is_wrong_is_refused(
    client: FlaskClient, path: str, fields: dict[str, Any], word: str, part: str
) -> None:
    assert_refused(converse(client, path, **fields), 400, word, part)
