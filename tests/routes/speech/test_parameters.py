"""Every field of a request comes through every API, under the name that the API has for it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from marshmallow import fields
from werkzeug.test import TestResponse

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.routes.speech.turns_field import TurnsField
from qwen_tts_api.routes.speech.word_fields import PronunciationsField
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.text.script.turns import Turn
from tests.conftest import Bench
from tests.rows import for_each

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Hello"
COQUI = {"speaker": "speaker_id", "language": "language_id"}
MARY = {"text": "INPUT_TEXT", "speaker": "VOICE", "language": "LOCALE", "audio_format": "AUDIO"}
OPENAI = {
    "text": "input",
    "speaker": "voice",
    "instruct": "instructions",
    "audio_format": "response_format",
}
PRONUNCIATIONS = '{"nginx": "engine ex"}'
KNOWN = {
    "normalize": "full",
    "pronunciations": PRONUNCIATIONS,
    "speaker": "Serena",
    "language": "de",
    "audio_format": "flac",
    "model": "nano",
}
"""Values that an API looks up before it asks the service."""

Asked = Callable[[FlaskClient, dict[str, str]], TestResponse]


def renamed(values: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    return {names.get(name, name): value for name, value in values.items()}


APIS: dict[str, tuple[dict[str, str], Asked]] = {
    "native": ({}, lambda client, sent: client.post("/api/tts", json=typed(sent))),
    "Coqui query": (COQUI, lambda client, sent: client.get("/api/tts", query_string=sent)),
    "Coqui form": (COQUI, lambda client, sent: client.post("/api/tts", data=sent)),
    "Coqui multipart": (
        COQUI,
        lambda client, sent: client.post("/api/tts", data=sent, content_type="multipart/form-data"),
    ),
    "MaryTTS query": (MARY, lambda client, sent: client.get("/process", query_string=sent)),
    "MaryTTS body": (MARY, lambda client, sent: client.post("/process", data=sent)),
    "OpenAI": (OPENAI, lambda client, sent: client.post("/v1/audio/speech", json=typed(sent))),
    "OpenAI form": (
        OPENAI,
        lambda client, sent: client.post(
            "/v1/audio/speech", data=sent, content_type="multipart/form-data"
        ),
    ),
}


def typed(sent: dict[str, str]) -> dict[str, Any]:
    """Return values as JSON has them."""
    return {name: as_json(value) for name, value in sent.items()}


def as_json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def value_of(name: str) -> str:
    """Return a value of a field, as a text, that is not its default."""
    field = SpeechSchema().fields[name]
    if isinstance(field, AudioField):
        return "UklGRg=="
    if isinstance(field, TurnsField):
        return '[{"text": "some text", "speaker": "Serena"}]'
    if isinstance(field, fields.Boolean):
        return "true"
    if name == "sample_rate":
        return "8000"
    if isinstance(field, fields.Integer):
        return "7"
    return "0.5" if isinstance(field, fields.Float) else KNOWN.get(name, "some text")


@pytest.mark.parametrize("api", APIS)
def test_every_field_comes_through(bench: Bench, monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    """As JSON has it, and from a query or form."""
    seen: list[SpeechRequest] = []

    def refuse(self: SpeechService, asked: SpeechRequest, *_: Any) -> None:
        seen.append(asked)
        raise ZeroDivisionError

    monkeypatch.setattr(SpeechService, "synthesize", refuse)
    monkeypatch.setattr(SpeechService, "stream", refuse)
    names, ask = APIS[api]
    special = {
        AudioField: b"RIFF",
        TurnsField: (Turn("some text", "Serena"),),
        PronunciationsField: (("nginx", "engine ex"),),
    }
    for name, field in SpeechSchema().fields.items():
        sent = {"text": TEXT, name: value_of(name)}
        seen.clear()
        ask(bench.client, renamed(sent, names))
        assert len(seen) == 1, name
        wanted = special.get(type(field), as_json(sent[name]))
        assert getattr(seen[0], field.attribute or name) == wanted, name
        assert seen[0].text == sent["text"], name


@for_each("api", APIS)
def test_every_number_is_judged(bench: Bench, api: str) -> None:
    """A query's and a form's text, too."""
    names, ask = APIS[api]
    for name, field in SpeechSchema().fields.items():
        if isinstance(field, fields.Number):
            response = ask(bench.client, renamed({"text": TEXT, name: "many"}, names))
            assert response.status_code == 400, name
            assert name in response.text


def test_every_format_has_its_media_type(bench: Bench) -> None:
    """By a GET, by its HEAD, streamed, and by OpenAI's name."""
    for name, entry in FORMATS.items():
        for response in (
            bench.client.get("/api/tts", query_string={"text": TEXT, "audio_format": name}),
            bench.client.head("/api/tts", query_string={"text": TEXT, "audio_format": name}),
            bench.client.post(
                "/api/tts", json={"text": TEXT, "audio_format": name, "stream": True}
            ),
            bench.client.post("/v1/audio/speech", json={"input": TEXT, "response_format": name}),
        ):
            assert response.headers["Content-Type"] == entry.media_type


def test_every_field_is_used() -> None:
    """Accepted and without effect would be worse than refused."""
    sampling = {each.name for each in dataclasses.fields(SamplingParams)}  # all are passed on
    code = "\n".join(path.read_text() for path in (ROOT / "qwen_tts_api").rglob("*.py"))
    read = set(re.findall(r"\b(?:request|asked|wanted)\.(\w+)\b", code))
    assert {each.name for each in dataclasses.fields(SpeechRequest)} <= sampling | read
