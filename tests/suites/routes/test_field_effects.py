"""No field is accepted without effect: by every API each changes what is spoken or answered.

Fields of the prompt hold for all segments of a text. What is ignored on purpose is named.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema
from werkzeug.test import TestResponse

from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.routes.apis.coqui import COQUI_NAMES
from qwen_tts_api.routes.apis.elevenlabs import names as elevenlabs
from qwen_tts_api.routes.apis.elevenlabs.schema import (
    DialogueSchema,
    ElevenLabsSpeechSchema,
)
from qwen_tts_api.routes.apis.marytts import _NAMES as MARYTTS_NAMES
from qwen_tts_api.routes.apis.openai.batch_schema import SpeechBatchItemSchema
from qwen_tts_api.routes.apis.openai.names import FIELDS as OPENAI_NAMES
from qwen_tts_api.routes.apis.openai.schema import OpenAISpeechSchema
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.service.plan import segment_seeds
from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each

MakeBench = Callable[..., Bench]
Fields = dict[str, Any]

TEXT = "[Ryan] *nginx* 4.\nAh [pause] <sub alias='b'>c</sub>."

PROMPT: Fields = {
    "language": "german",
    "speaker": "dylan",
    "instruct": "Slowly.",
    "non_streaming_mode": False,
    "max_new_tokens": 5,
    "temperature": 0.5,
    "top_k": 5,
    "top_p": 0.5,
    "repetition_penalty": 1.5,
    "subtalker_temperature": 0.25,
    "subtalker_top_k": 6,
    "subtalker_top_p": 0.25,
}
"""Fields of which each prompt tells the value."""

RECORDING, OTHER = (base64.b64encode(recording(seconds)).decode() for seconds in (1, 1.5))

OTHERS: tuple[tuple[Fields, Fields], ...] = (
    (
        {"text": "A."},
        {
            "text": "B.",
            "model": "small",
            "audio_format": "flac",
            "sample_rate": 16_000,
            "speed": 2,
            "stream": True,
            "timestamps": True,
            "seed": 8,
            # Not ours:
            "stream_format": "sse",
            "task_type": "VoiceDesign",
            "initial_codec_chunk_frames": 5,
            "voice_settings": {"speed": 2},
        },
    ),
    (
        {"text": TEXT},
        {
            "turns": [{"text": "A.", "speaker": "dylan"}, {"text": "B.", "speaker": "ryan"}],
            "ssml": True,
            "pause_marks": True,
            "speaker_marks": True,
            "normalize": False,
            "pronunciations": {"nginx": "engine ex"},
            "apply_text_normalization": "on",
        },
    ),
    (
        {"text": "A.", "ref_audio": RECORDING, "ref_text": "a"},
        {"ref_audio": OTHER, "ref_text": "b", "x_vector_only_mode": True},
    ),
)
"""What is asked for, and another value of each field than what it is there."""


class Api(NamedTuple):
    """How an API is asked.

    Attributes:
        send: Sends fields by its names.
        schema: Of its fields.
        names: What it calls ours.
        audio_format: Without a name of one.
        without: Fields of the schema that it has not.
    """

    send: Callable[[FlaskClient, Fields], TestResponse]
    schema: Schema
    names: dict[str, str]
    audio_format: str = "wav"
    without: tuple[str, ...] = ()

    def speak(self, bench: Bench, fields: Fields) -> TestResponse:
        """Send fields by our names; turns are there instead of a text."""
        given = {"audio_format": self.audio_format, "seed": 7, **fields}
        if "turns" in given:
            given.pop("text", None)
        if self.audio_format == "WAVE":
            given["audio_format"] = given["audio_format"].upper()
        response = self.send(
            bench.client, {self.names.get(name, name): value for name, value in given.items()}
        )
        assert response.status_code == 200, response.text
        return response


def as_parameters(fields: Fields) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }


def send_to_batch(client: FlaskClient, fields: Fields) -> TestResponse:
    """Some fields in the item, and others beside it."""
    own = {"input", "turns", "voice", "seed", "ssml", "temperature"} & set(fields)
    item = {name: fields.pop(name) for name in own}
    response = client.post("/v1/audio/speech/batch", json={"items": [item], **fields})
    assert response.status_code == 200, response.text
    assert response.get_json()["succeeded"], response.text
    return response


def send_to_elevenlabs(client: FlaskClient, fields: Fields) -> TestResponse:
    """Voice, format and whether it is streamed are in the address."""
    rate_hz = fields.pop("sample_rate", 24_000)
    audio_format, stream = fields.pop("audio_format"), fields.pop("stream", False)
    name = audio_format if audio_format == "flac" else f"{audio_format}_{rate_hz}"
    path = "/v1/text-to-dialogue"
    if "inputs" not in fields:
        path = f"/v1/text-to-speech/{fields.pop('voice_id', 'default')}"
    return client.post(f"{path}{'/stream' * stream}?output_format={name}", json=fields)


def send_dialogue(client: FlaskClient, fields: Fields) -> TestResponse:
    """A text is a turn of it."""
    speaker = fields.pop("voice_id", "default")
    if "text" in fields:
        texts = (fields.pop("text"), "More.")
        fields["inputs"] = [{"text": text, "voice_id": speaker} for text in texts]
    else:
        fields["inputs"] = [
            {"text": turn["text"], "voice_id": turn["speaker"]} for turn in fields["inputs"]
        ]
    return send_to_elevenlabs(client, fields)


APIS = {
    "native": Api(lambda client, fields: client.post("/api/tts", json=fields), SpeechSchema(), {}),
    "Coqui": Api(
        lambda client, fields: client.get("/api/tts", query_string=as_parameters(fields)),
        SpeechSchema(),
        COQUI_NAMES,
    ),
    "MaryTTS": Api(
        lambda client, fields: client.post("/process", data=as_parameters(fields)),
        SpeechSchema(),
        MARYTTS_NAMES,
        "WAVE",
    ),
    "OpenAI": Api(
        lambda client, fields: client.post("/v1/audio/speech", json=fields),
        OpenAISpeechSchema(),
        OPENAI_NAMES,
    ),
    "batch": Api(send_to_batch, SpeechBatchItemSchema(), OPENAI_NAMES),
    "ElevenLabs": Api(
        send_to_elevenlabs,
        ElevenLabsSpeechSchema(),
        {
            **elevenlabs.FIELDS,
            "turns": "turns",
            "audio_format": "audio_format",
            "sample_rate": "sample_rate",
        },
    ),
    "dialogue": Api(
        send_dialogue,
        DialogueSchema(),
        {**elevenlabs.DIALOGUE_FIELDS, "audio_format": "audio_format"},
        without=("ref_audio", "ref_text", "x_vector_only_mode"),  # each turn has a voice
    ),
}


def heard(bench: Bench, api: Api, **fields: Any) -> tuple[Any, ...]:
    """Return what was spoken, and what tells of it in the answer."""
    for runner in bench.hub.runners.values():
        runner.prompts.clear()
    response = api.speak(bench, fields)
    data = re.sub(rb"speech-batch-\w+", b"", response.data)
    prompts = [runner.prompts[:] for runner in bench.hub.runners.values()]
    is_streamed = "X-Accel-Buffering" in response.headers
    return prompts, data, response.content_type, is_streamed, response.headers.get("X-Seed")


def ignored(response: TestResponse) -> list[str]:
    names = response.headers.get("X-Ignored-Parameters", "")
    return names.split(", ") if names else []


@pytest.fixture
def small_segments(make_bench: MakeBench) -> Bench:
    return make_bench(max_segment_chars=9, default_speaker="serena")


def assert_holds(prompts: Sequence[Prompt]) -> None:
    """Check that a text's segments, two or more, all have the fields of PROMPT, and the seed 7."""
    assert len(prompts) >= 2
    for prompt, seed in zip(prompts, segment_seeds(7), strict=False):
        told = {**vars(prompt), **vars(prompt.sampling)}
        told["non_streaming_mode"] = not prompt.text_in_frames
        assert {field: told[field] for field in PROMPT} == PROMPT
        assert prompt.sampling.seed == seed


@for_each(("name", "stream"), itertools.product(APIS, (False, True)))
def test_a_field_of_the_prompt_holds_for_all_segments(
    small_segments: Bench, name: str, stream: bool
) -> None:
    bench, api = small_segments, APIS[name]
    bench.runner.prompts.clear()
    response = api.speak(bench, {"text": TEXT, **PROMPT, **({"stream": True} if stream else {})})
    assert response.data
    assert ignored(response) == (["stream"] if stream and name == "batch" else [])
    assert_holds(bench.runner.prompts)


@for_each("name", APIS)
def test_every_other_field_changes_the_answer(small_segments: Bench, name: str) -> None:
    """A field that is added to a schema has no value here, and fails."""
    bench, api = small_segments, APIS[name]
    missing = {*api.schema.fields} - {*PROMPT, *api.without}
    for base, values in OTHERS:
        fields = missing & {*values}
        plain = heard(bench, api, **base) if fields else ()
        for field in fields:
            asked = {**base, field: values[field]}
            is_told = heard(bench, api, **asked) != plain
            assert is_told or field in ignored(api.speak(bench, asked)), field
        missing -= fields
    assert not missing
