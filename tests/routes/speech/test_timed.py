"""Answers in JSON, with audio, times and subtitles."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import soundfile
from flask.testing import FlaskClient

from tests.conftest import Bench, wait_until

TEXT = "This is the first sentence. And this is the second one."
MakeBench = Callable[..., Bench]


@pytest.fixture
def client(make_bench: MakeBench) -> FlaskClient:
    """Return a client of a service that divides TEXT into two segments."""
    return make_bench(max_segment_chars=40).client


def whole(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    response = client.post("/api/tts", json={"text": TEXT, "timestamps": True, "seed": 1, **fields})
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    document: dict[str, Any] = json.loads(response.data)
    return document


def lines(client: FlaskClient, **fields: Any) -> list[dict[str, Any]]:
    asked = {"text": TEXT, "timestamps": True, "stream": True, "seed": 1, **fields}
    response = client.post("/api/tts", json=asked)
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/x-ndjson"
    return [json.loads(line) for line in response.data.splitlines()]


def test_the_answer_has_audio_and_its_times(client: FlaskClient) -> None:
    answer = whole(client)
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(answer["audio_base64"])))
    assert (answer["media_type"], answer["sample_rate"]) == ("audio/wav", rate_hz)
    assert answer["duration"] == pytest.approx(len(samples) / rate_hz, abs=0.001)
    assert answer["finish_reason"] == "stop"
    assert answer["estimated"] is True
    assert " ".join(segment["text"] for segment in answer["segments"]) == TEXT
    marks = []
    for segment in answer["segments"]:
        words = segment["words"]
        assert " ".join(word["word"] for word in words) == segment["text"]
        assert (words[0]["start"], words[-1]["end"]) == (segment["start"], segment["end"])
        marks += [mark for word in words for mark in (word["start"], word["end"])]
    assert marks == sorted(marks)
    assert marks[-1] <= answer["duration"]
    assert answer["srt"].startswith("1\r\n00:00:00,")
    assert answer["vtt"].startswith("WEBVTT\n\n00:00:00.")


def test_a_stream_tells_what_the_whole_file_does(client: FlaskClient) -> None:
    answer, told = whole(client, audio_format="pcm"), lines(client, audio_format="pcm")
    audio = b"".join(base64.b64decode(line.get("audio_base64", "")) for line in told)
    assert base64.b64encode(audio).decode() == answer["audio_base64"]
    assert [line["segment"] for line in told if "segment" in line] == answer["segments"]
    assert told[0] == {"media_type": "audio/pcm", "sample_rate": 24_000}
    assert all(told[-1][name] == answer[name] for name in told[-1])


def test_a_segment_is_expected_before_its_audio(client: FlaskClient) -> None:
    kinds = [next(iter(line)) for line in lines(client, audio_format="pcm")]
    assert kinds[:3] == ["media_type", "expected", "audio_base64"]
    assert kinds.count("expected") == kinds.count("segment") == 2
    assert kinds.index("segment") < len(kinds) - 1 - kinds[::-1].index("expected")


def test_several_voices_are_named(client: FlaskClient) -> None:
    turns = [{"speaker": "Ryan", "text": "Hello."}, {"speaker": "Serena", "text": "Hi."}]
    asked = {"turns": turns, "timestamps": True, "seed": 1}
    answer = json.loads(client.post("/api/tts", json=asked).data)
    assert [segment["speaker"] for segment in answer["segments"]] == ["Ryan", "Serena"]
    assert "<v Ryan>Hello." in answer["vtt"]
    assert "speaker" not in whole(client)["segments"][0]


def test_nothing_to_say_has_no_times(make_bench: MakeBench) -> None:
    client = make_bench(unspeakable_text="silence").client
    answer = whole(client, text="🎉")
    assert (answer["segments"], answer["srt"], answer["estimated"]) == ([], "", False)
    assert answer["vtt"] == "WEBVTT\n"
    assert [line for line in lines(client, text="🎉") if "segment" in line] == []


def test_without_the_field_nothing_is_told(client: FlaskClient) -> None:
    response = client.post("/api/tts", json={"text": TEXT})
    assert response.mimetype == "audio/wav"


def test_other_apis_have_it(client: FlaskClient) -> None:
    coqui = client.get("/api/tts", query_string={"text": TEXT, "timestamps": "true"})
    head = client.head("/api/tts", query_string={"text": TEXT, "timestamps": "true"})
    openai = client.post(
        "/v1/audio/speech", json={"input": TEXT, "voice": "alloy", "timestamps": True}
    )
    marytts = client.get("/process", query_string={"INPUT_TEXT": TEXT, "timestamps": "true"})
    for response in (coqui, openai, marytts):
        assert response.mimetype == "application/json"
        assert len(json.loads(response.data)["segments"]) == 2
    assert head.mimetype == "application/json"


def test_openais_events_tell_segments(client: FlaskClient) -> None:
    asked = {"input": TEXT, "voice": "alloy", "stream_format": "sse", "timestamps": True}
    response = client.post("/v1/audio/speech", json=asked)
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line]
    told = [event for event in events if event["type"] == "speech.audio.segment"]
    assert [segment["text"] for segment in told] == TEXT.replace(". ", ".\n").splitlines()
    assert events[-1]["type"] == "speech.audio.done"


def test_a_stream_that_is_closed_cancels_the_work(bench: Bench) -> None:
    bench.runner.hang, bench.runner.hang_from = threading.Event(), 100
    asked = {"text": "a" * 2000, "stream": True, "timestamps": True}
    response = bench.client.post("/api/tts", json=asked)
    next(iter(response.response))
    response.close()
    bench.runner.hang.set()
    wait_until(lambda: bench.pool.status().running == 0)
    assert len(bench.runner.batches) < 200
