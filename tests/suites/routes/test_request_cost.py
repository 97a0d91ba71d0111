"""What a plain request costs, counted: it builds no schema, starts no thread, reads one voice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema

from qwen_tts_api.service.voices.store import VoiceStore
from tests.conftest import Bench
from tests.recordings import recording

MakeBench = Callable[..., Bench]

BODIES = {
    "/api/tts": {"text": "Hello.", "speaker": "ryan", "seed": 1, "stream": True},
    "/v1/audio/speech": {"input": "Hello.", "voice": "ryan", "response_format": "pcm"},
}


def counted(calls: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        return function(*args, **kwargs)

    return call


@pytest.mark.parametrize("path", BODIES)
def test_a_request_like_the_last_builds_no_schema_and_starts_no_thread(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The fields of a schema are copied for each instance: that took a sixth of a request."""
    assert client.post(path, json=BODIES[path]).status_code == 200
    calls: Counter[str] = Counter()
    for kind, name in ((Schema, "__init__"), (threading.Thread, "start")):
        monkeypatch.setattr(kind, name, counted(calls, name, getattr(kind, name)))
    for _ in range(3):
        assert client.post(path, json=BODIES[path]).status_code == 200
    assert not calls


def test_what_is_known_does_not_depend_on_what_was_sent(client: FlaskClient) -> None:
    """Though only the fields that are given are looked at, an error names the others."""
    for fields in ({}, {"speaker": "ryan"}, {"text": "Hello.", "seed": 1}):
        error = client.post("/api/tts", json={**fields, "txt": "x"}).get_json()["error"]
        assert error == "Unknown field 'txt': did you mean 'text'?"
    error = client.post("/api/tts", json={"text": 5, "sead": 1}).get_json()["error"]
    assert error == "text: Not a valid string. Unknown field 'sead': did you mean 'seed'?"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/tts", {"text": "Hi."}),
        ("/api/tts", {"text": "Hi.", "speaker": "Ryan"}),
        ("/api/tts", {"text": "Hi.", "speaker": "Anna"}),
        ("/api/tts", {"text": "Hi.", "model": "clone"}),
        ("/process", {"INPUT_TEXT": "Hi.", "VOICE": "anna"}),
        ("/process", {"INPUT_TEXT": "Hi.", "VOICE": "cmu-slt-hsmm"}),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "alloy"}),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "default"}),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "anna"}),
        ("/v1/text-to-speech/anna", {"text": "Hi."}),
        ("/v1/text-to-speech/default", {"text": "Hi."}),
        ("/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb", {"text": "Hi."}),
        ("/v1/text-to-dialogue", {"inputs": [{"voice_id": "anna", "text": "Hi."}]}),
    ],
)
def test_a_request_reads_no_voice_but_its_own(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, Any]
) -> None:
    """There may be 10,000 of them, each a file, whose reading holds up others, too."""
    bench = make_bench(default_speaker="Anna")
    bench.service.voices.add("Anna", recording(2), "Hello.")
    monkeypatch.setattr(VoiceStore, "all", lambda store: pytest.fail("all voices are read"))
    if path == "/process":
        response = bench.client.get(path, query_string=fields)
    else:
        response = bench.client.post(path, json=fields)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", ["", "clone"])
def test_an_unknown_speaker_is_told_without_reading_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """A client that is set up wrong asks again and again."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    monkeypatch.setattr(VoiceStore, "get", lambda store, voice_id: None)
    monkeypatch.setattr(VoiceStore, "all", lambda store: pytest.fail("all voices are read"))
    response = bench.client.post("/api/tts", json={"text": "Hi.", "speaker": "x", "model": model})
    assert response.status_code == 400
    assert "anna" in response.get_json()["error"]
