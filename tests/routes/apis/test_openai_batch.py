"""`/v1/audio/speech/batch`: vLLM-Omni's requests, answered in its shape."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from tests.conftest import Bench
from tests.recordings import recording
from tests.rows import for_each
from tests.telemetry.test_context_usage import ALICE, keys_file, used
from tests.telemetry.test_logs import Lines, find, lines

__all__ = ["keys_file", "lines"]  # fixtures

MakeBench = Callable[..., Bench]
PATH = "/v1/audio/speech/batch"


def speak(bench: Bench, items: Any, **shared: Any) -> TestResponse:
    return bench.client.post(PATH, json={"items": items, **shared})


def results(response: TestResponse) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.get_json()["results"]
    return found


def test_the_shape_is_vllm_omni_s(bench: Bench) -> None:
    """Fields that mean nothing for a result are left out; WAV is the default here."""
    response = speak(bench, [{"input": "Hello"}, {"input": ""}], voice="Serena")
    body = response.get_json()
    assert re.fullmatch(r"speech-batch-[0-9a-f]{32}", body["id"])
    assert (body["total"], body["succeeded"], body["failed"]) == (2, 1, 1)
    spoken, refused = body["results"]
    assert set(body) == {"id", "results", "total", "succeeded", "failed"}
    assert set(spoken) == {"index", "status", "audio_data", "media_type", "usage"}
    assert (spoken["index"], spoken["status"], spoken["media_type"]) == (0, "success", "audio/wav")
    assert base64.b64decode(spoken["audio_data"])[:4] == b"RIFF"
    assert spoken["usage"] == {"input_tokens": 1000, "output_tokens": 5, "total_tokens": 1005}
    assert set(refused) == {"index", "status", "error"}
    assert (refused["index"], refused["status"]) == (1, "error")
    assert refused["error"]
    assert response.headers["X-Digital-Source-Type"] == "trainedAlgorithmicMedia"


def test_an_item_s_own_fields_go_before(bench: Bench) -> None:
    """Null is the batch's; the audio is what the same request gives alone."""
    shared = {"voice": "Serena", "response_format": "flac", "seed": 5, "speed": 2.0}
    items: list[dict[str, Any]] = [
        {"input": "One."},
        {"input": "Two.", "voice": "Dylan", "response_format": "mp3", "speed": None},
        {"input": "Three.", "speaker": "ryan", "seed": 6, "sample_rate": 8000},
    ]
    own: list[dict[str, Any]] = [
        {},
        {"voice": "Dylan", "response_format": "mp3"},
        {"voice": "ryan", "seed": 6, "sample_rate": 8000},
    ]
    for item, mine, result in zip(items, own, results(speak(bench, items, **shared)), strict=True):
        alone = {**shared, **mine, "input": item["input"]}
        expected = bench.client.post("/v1/audio/speech", json=alone)
        assert base64.b64decode(result["audio_data"]) == expected.data
        assert result["media_type"] == expected.headers["Content-Type"]


def test_times_are_an_item_s_own_too(bench: Bench) -> None:
    """As of `/api/tts`; and several voices may speak one item."""
    turns = [{"speaker": "Serena", "text": "Hi."}, {"speaker": "Ryan", "text": "Ho."}]
    response = speak(bench, [{"input": "Hello.", "timestamps": True}, {"turns": turns}])
    timed, plain = results(response)
    assert [segment["text"] for segment in timed["segments"]] == ["Hello."]
    assert timed["srt"].startswith("1\r\n00:00:00,000")
    assert "segments" not in plain
    assert [each.speaker for each in bench.runner.prompts[-2:]].count("ryan") >= 1


def test_a_recording_is_shared(bench: Bench) -> None:
    """As a book in one voice needs it: sent once."""
    sent = base64.b64encode(recording()).decode()
    shared = {"ref_audio": sent, "ref_text": "Hello.", "task_type": "Base"}
    response = speak(bench, [{"input": "One."}, {"input": "Two."}], **shared)
    assert [each["status"] for each in results(response)] == ["success", "success"]
    assert len(bench.hub.runners["clone"].voices) == 1


@for_each(
    ("item", "words"),
    [
        ({"input": ""}, []),
        ({"input": "Hi.", "voice": "Nobody"}, ["'Nobody'", "Ryan"]),
        ({"input": "x" * 5000}, ["5000", "4096"]),
        ({"input": "Hi.", "response_format": "aac"}, ["mp3"]),
        ({"input": "Hi.", "language": "Klingon"}, ["Klingon", "German"]),
        ({"input": "Hi.", "sample_rate": 7}, ["8000"]),
    ],
)
def test_what_one_item_cannot_have_is_its_error(
    bench: Bench, item: dict[str, Any], words: list[str]
) -> None:
    first, wrong, last = results(speak(bench, [{"input": "One."}, item, {"input": "Three."}]))
    assert (first["status"], last["status"]) == ("success", "success")
    assert wrong["status"] == "error"
    assert all(word in wrong["error"] for word in words), wrong


@for_each(
    ("body", "param", "words"),
    [
        ({}, "items", ["1 to 32"]),
        ({"items": []}, "items", ["1 to 32"]),
        ({"items": [{"input": "x"}] * 33}, "items", ["1 to 32"]),
        ({"items": "Hello"}, "items", ["1 to 32"]),
        ({"items": ["Hello"]}, "items[0]", ["must be an object such as"]),
        ({"items": [{"input": 1}]}, "items[0].input", ["items[0]: input", "string"]),
        ({"items": [{"input": "x"}, {"voice": "Ryan"}]}, "items[1].input", ["required"]),
        ({"items": [{"input": "x", "speed": 9}]}, "items[0].speed", ["items[0]: speed", "0.25"]),
        ({"items": [{"input": "x", "speeds": 1}]}, "items[0].speeds", ["'speed'"]),
        ({"items": [{"input": "x"}], "speed": "fast"}, "speed", ["speed"]),
        ({"items": [{"input": "x"}], "seed": -1}, "seed", ["seed"]),
        ({"items": [{"input": "x" * 4000}] * 9}, "items", ["36000", "32768"]),
    ],
)
def test_what_is_malformed_refuses_all_of_it(
    bench: Bench, body: dict[str, Any], param: str, words: list[str]
) -> None:
    """Before anything is spoken."""
    response = bench.client.post(PATH, json=body)
    error = response.get_json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error"), response.text
    assert error["param"] == param
    assert all(word in error["message"] for word in words), error
    assert not bench.runner.prompts


def test_an_unknown_model_is_a_404(bench: Bench) -> None:
    response = speak(bench, [{"input": "x"}], model="none")
    assert (response.status_code, response.get_json()["error"]["code"]) == (404, "model_not_found")


def test_fields_without_effect_are_named(make_bench: MakeBench) -> None:
    """Once, whichever item has them; refused where parameters are strict."""
    items = [{"input": "x", "metadata": "a", "initial_codec_chunk_frames": 4}] * 2
    response = speak(make_bench(), items, stream=True, user="me")
    assert response.headers["X-Ignored-Parameters"] == (
        "stream, user, metadata, initial_codec_chunk_frames"
    )
    assert [each["status"] for each in results(response)] == ["success", "success"]
    response = speak(make_bench(strict_parameters=True), items)
    assert response.status_code == 400


def test_a_server_that_cannot_now_says_when(make_bench: MakeBench) -> None:
    """All of it, as of a single text: clients try again by the status."""
    response = speak(make_bench(start=False), [{"input": "x"}] * 3)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_each_item_counts_for_the_limit(make_bench: MakeBench) -> None:
    """And none of a batch for which too few are left; one that never fits is told so."""
    bench = make_bench(rate_limit=5)
    assert speak(bench, [{"input": "x"}] * 3).status_code == 200
    response = speak(bench, [{"input": "x"}] * 3)
    assert (response.status_code, response.get_json()["error"]["code"]) == (
        *(429, "rate_limit_exceeded"),
    )
    assert int(response.headers["Retry-After"]) > 0
    assert speak(bench, [{"input": "x"}]).status_code == 200
    response = speak(make_bench(rate_limit=5), [{"input": "x"}] * 6)
    assert response.status_code == 400
    assert "QWEN_RATE_LIMIT" in response.get_json()["error"]["message"]


def test_it_is_one_line_in_the_log(make_bench: MakeBench, keys_file: Path, lines: Lines) -> None:
    """With all that was spoken, and for whom; the metrics have each text."""
    bench = make_bench(api_keys_file=keys_file)
    headers = {"Authorization": f"Bearer {ALICE}"}
    items = [{"input": "Hello"}, {"input": "x", "voice": "Nobody"}, {"input": "Bye"}]
    bench.client.post(PATH, json={"items": items, "seed": 3}, headers=headers).close()
    line = find(lines, "POST")
    assert (line["key"], line["items"], line["failed"]) == ("alice", 3, 1)
    assert (line["characters"], line["audio_s"], line["seed"]) == (8, 0.64, "3")
    assert used(bench, "alice") == (8, 0.64)
