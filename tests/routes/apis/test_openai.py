"""OpenAI's dialect, under `/v1`; `tests/clients` sends it what real clients send."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from flask import g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelUnavailable,
    OutOfMemory,
    QueueFull,
    RequestTimeout,
    SynthesisFailed,
    TTSError,
    VoiceExists,
)
from qwen_tts_api.routes.apis.openai.events import Events
from qwen_tts_api.routes.apis.openai.names import VOICES
from qwen_tts_api.routes.request_log import RequestRecord
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench, wait_until
from tests.rows import for_each

MakeBench = Callable[..., Bench]


def speak(client: FlaskClient, **fields: Any) -> TestResponse:
    """POST to /v1/audio/speech; the format is wav if none is given."""
    return client.post("/v1/audio/speech", json={"response_format": "wav", **fields})


def assert_refused(
    response: TestResponse, status: int, code: str, param: str | None, *words: str
) -> None:
    """Check status, shape, code and param, and that the sentence has the words."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    document = response.get_json()
    assert set(document) == {"error"}
    error = document["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == (
        "server_error"
        if status >= 500
        else "rate_limit_error"
        if status == 429
        else "invalid_request_error"
    )
    for word in words:
        assert word in error["message"], error["message"]


def events_of(data: bytes) -> list[dict[str, Any]]:
    """Return the events of a stream, each of which is one line."""
    *events, rest = data.decode("ascii").split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: {") and "\n" not in event for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def audio_of(events: list[dict[str, Any]]) -> bytes:
    """Return the audio that the events carry."""
    deltas = [event for event in events if event["type"] == "speech.audio.delta"]
    return b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)


def test_a_whole_file_with_the_headers_of_every_synthesis(bench: Bench) -> None:
    response = speak(bench.client, input=" Hello ", voice="Serena", model="voice", seed=7)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Length"] == str(len(response.data))
    assert response.headers["X-Seed"] == "7"
    assert response.headers["X-Model"] == "voice"
    assert response.headers["X-Audio-Duration"] == "0.400"
    assert response.headers["X-Finish-Reason"] == "stop"
    assert response.headers["X-Request-Id"]
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.speaker) == ("Hello", "serena")
    assert not spoken.streaming
    native = {"text": "Hello", "speaker": "Serena", "seed": 7}
    assert response.data == bench.client.post("/api/tts", json=native).data


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_stream_that_is_closed_cancels_the_work(bench: Bench, stream_format: str) -> None:
    bench.runner.hang, bench.runner.hang_from = threading.Event(), 100
    response = speak(
        bench.client, input="a" * 2000, voice="Serena", stream=True, stream_format=stream_format
    )
    next(iter(response.response))
    response.close()
    bench.runner.hang.set()
    wait_until(lambda: bench.pool.status().running == 0)
    assert len(bench.runner.batches) < 200


def test_fields_reach_the_model(bench: Bench) -> None:
    """OpenAI's, vLLM-Omni's and ours; all at the top level."""
    response = speak(
        bench.client,
        input="Hallo",
        voice="Dylan",
        instructions="slowly",
        language="de",
        task_type="CustomVoice",
        seed=5,
        max_new_tokens=9,
        temperature=0.5,
        top_k=3,
        subtalker_top_p=0.5,
        initial_codec_chunk_frames=4,
    )
    assert response.status_code == 200, response.text
    spoken = bench.runner.prompts[-1]
    assert (spoken.speaker, spoken.instruct, spoken.language) == ("dylan", "slowly", "german")
    assert (spoken.sampling.seed, spoken.max_new_tokens) == (5, 9)
    assert (spoken.sampling.temperature, spoken.sampling.top_k) == (0.5, 3)
    assert spoken.sampling.subtalker_top_p == 0.5
    assert response.headers["X-Ignored-Parameters"] == "initial_codec_chunk_frames"


def test_empty_and_null_mean_default(bench: Bench) -> None:
    for empty in ("", None):
        names = ("voice", "model", "instructions", "language", "task_type", "stream_format")
        response = speak(bench.client, input="a", **dict.fromkeys(names, empty), seed=None)
        assert response.status_code == 200, response.text
        assert "Content-Length" in response.headers
        assert bench.runner.prompts[-1].speaker == "ryan"


@for_each(
    ("name", "media_type", "container"),
    [
        (None, "audio/mpeg", "MP3"),
        ("", "audio/mpeg", "MP3"),
        ("mp3", "audio/mpeg", "MP3"),
        ("opus", "audio/ogg", "OGG"),
        ("flac", "audio/flac", "FLAC"),
        ("wav", "audio/wav", "WAV"),
        ("pcm", "audio/pcm", "RAW"),
    ],
)
def test_formats(client: FlaskClient, name: str | None, media_type: str, container: str) -> None:
    """OpenAI's default is mp3; its opus is in Ogg, its pcm 24 kHz, 16 bit, mono, little-endian."""
    response = client.post("/v1/audio/speech", json={"input": "Hello", "response_format": name})
    assert response.mimetype == media_type
    if container == "RAW":
        assert len(response.data) == 5 * 1920 * 2
        return
    with soundfile.SoundFile(io.BytesIO(response.data)) as file:
        assert (file.format, file.channels) == (container, 1)
        assert (file.subtype == "OPUS") == (name == "opus")
        assert file.frames / file.samplerate == pytest.approx(0.4, abs=0.1)


def test_no_format_at_all_is_mp3(client: FlaskClient) -> None:
    """As Open WebUI asks; it saves what comes as .mp3."""
    response = client.post("/v1/audio/speech", json={"input": "Hello"})
    assert response.mimetype == "audio/mpeg"


def test_formats_that_are_not_made_are_refused(client: FlaskClient) -> None:
    response = speak(client, input="a", response_format="midi")
    assert_refused(response, 400, "unknown_format", "response_format", "'midi'", "wav")
    response = speak(client, input="a", response_format="aac")
    assert_refused(response, 400, "unknown_format", "response_format", "AAC", "mp3 or opus")


def test_speed_and_sample_rate_are_honoured_or_refused(client: FlaskClient) -> None:
    """Never ignored."""
    text = "x" * 50
    normal = speak(client, input=text, response_format="pcm")
    assert speak(client, input=text, response_format="pcm", speed=1).data == normal.data
    fast = speak(client, input=text, response_format="pcm", speed=2)
    assert len(fast.data) / len(normal.data) == pytest.approx(0.5, abs=0.05)
    for speed in (0.2, 4.1):
        response = speak(client, input="a", speed=speed)
        assert_refused(response, 400, "invalid_request", "speed", "0.25", "4")
    telephone = speak(client, input=text, response_format="pcm", sample_rate=8000)
    assert len(telephone.data) == len(normal.data) // 3
    response = speak(client, input="a", sample_rate=11_025)
    assert_refused(response, 400, "invalid_request", "sample_rate", "11025", "24000")


def test_voices_as_a_string_or_an_object(bench: Bench) -> None:
    for voice in ("SERENA", {"id": "Serena"}):
        assert speak(bench.client, input="a", voice=voice).status_code == 200
        assert bench.runner.prompts[-1].speaker == "serena"
    for wrong in ({"name": "Serena"}, {}, 5, ["Serena"]):
        response = speak(bench.client, input="a", voice=wrong)
        assert_refused(response, 400, "invalid_request", "voice", "voice")


@for_each("voice", VOICES)
def test_names_of_openai_mean_a_speaker_that_exists(bench: Bench, voice: str) -> None:
    """Its published counterpart; the default speaker of a model that lacks it, which is told."""
    response = speak(bench.client, input="a", voice=voice.title())
    assert response.status_code == 200
    is_there = VOICES[voice] in bench.runner.card.speakers
    assert bench.runner.prompts[-1].speaker == (VOICES[voice] if is_there else "ryan")
    assert response.headers.get("X-Ignored-Parameters") == (None if is_there else "voice")


def test_aliases_and_the_policy_come_before_names_of_openai(make_bench: MakeBench) -> None:
    aliased = make_bench(speaker_aliases=(("alloy", "Dylan"),))
    assert speak(aliased.client, input="a", voice="alloy").status_code == 200
    assert aliased.runner.prompts[-1].speaker == "dylan"
    lenient = make_bench(unknown_speaker="default")
    assert speak(lenient.client, input="a", voice="nova").status_code == 200
    assert lenient.runner.prompts[-1].speaker == "ryan"


def test_unknown_voices_are_refused_with_the_list(client: FlaskClient) -> None:
    response = speak(client, input="a", voice="Bob")
    assert_refused(response, 400, "unknown_speaker", "voice", "'Bob'", "Serena", "Dylan")


def test_the_default_voice_has_a_name_for_clients_that_must_give_one(bench: Bench) -> None:
    assert speak(bench.client, input="a", voice="default").status_code == 200
    assert bench.runner.prompts[-1].speaker == "ryan"
    response = speak(bench.client, input="a", voice="default", model="design", instructions="deep")
    assert response.status_code == 200, response.text
    assert "X-Ignored-Parameters" not in response.headers


@for_each("model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "", None])
def test_models_of_openai_mean_the_default_model(client: FlaskClient, model: str | None) -> None:
    assert speak(client, input="a", model=model).headers["X-Model"] == "voice"


def test_served_models_by_name(client: FlaskClient) -> None:
    assert speak(client, input="a", model="small").headers["X-Model"] == "small"


def test_unknown_models_are_not_found(client: FlaskClient) -> None:
    """404, as OpenAI answers: its clients raise NotFoundError."""
    response = speak(client, input="a", model="gpt-9")
    assert_refused(response, 404, "model_not_found", "model", "'gpt-9'", "voice", "small")
    assert_refused(client.get("/v1/models/gpt-9"), 404, "model_not_found", "model", "'gpt-9'")
    response = client.get("/v1/audio/voices?model=gpt-9")
    assert_refused(response, 404, "model_not_found", "model")


def test_the_task_type_is_the_kind_of_the_model(make_bench: MakeBench) -> None:
    """It chooses among the served models, and must agree with the one that is named."""
    client = make_bench().client
    for task_type, model in (("CustomVoice", "voice"), ("VoiceDesign", "design")):
        for named in ("", "tts-1", model):
            response = speak(client, input="a", model=named, task_type=task_type)
            assert response.headers["X-Model"] == model
    response = speak(client, input="a", task_type="VoiceDesign", model="voice")
    assert_refused(response, 400, "not_supported", "task_type", "'VoiceDesign'", "'voice'")
    response = speak(client, input="a", task_type="Song")
    assert_refused(response, 400, "invalid_request", "task_type", "VoiceDesign")
    response = speak(make_bench(served=("voice",)).client, input="a", task_type="Base")
    assert_refused(response, 400, "not_supported", "task_type", "'Base'", "no such model")


@pytest.mark.parametrize("text", [None, ""])
def test_input_is_required(client: FlaskClient, text: str | None) -> None:
    assert_refused(speak(client, input=text), 400, "text_required", "input", "'input'")
    assert_refused(speak(client), 400, "text_required", "input", "'input'")


def test_bad_input(make_bench: MakeBench) -> None:
    client = make_bench(max_text_chars=10).client
    response = speak(client, input="x" * 11)
    assert_refused(response, 400, "text_too_long", "input", "QWEN_MAX_TEXT_CHARS")
    assert_refused(speak(client, input="\ud800"), 400, "unspeakable_text", "input")
    assert_refused(speak(client, input=5), 400, "invalid_request", "input", "input")
    assert_refused(speak(client, input="a", seed=-1), 400, "invalid_request", "seed")
    response = speak(client, input="a", stream_format="mp3")
    assert_refused(response, 400, "invalid_request", "stream_format", "sse")
    for body in (b"", b"{", b"[]", b'{"input": NaN}', b"[" * 100_000):
        response = client.post("/v1/audio/speech", data=body, content_type="application/json")
        assert_refused(response, 400, "invalid_request", None)


def test_unknown_fields_are_refused_with_a_hint(client: FlaskClient) -> None:
    """Our own names of fields point to OpenAI's; `test_ignored_parameters` has the others."""
    for wrong, right in (("text", "input"), ("speaker", "voice"), ("intput", "input")):
        response = speak(client, **{"input": "a", wrong: "b"})
        sentence = f"Unknown field '{wrong}': did you mean '{right}'?"
        assert_refused(response, 400, "invalid_request", wrong, sentence)


def test_a_body_that_is_too_large(make_bench: MakeBench) -> None:
    response = speak(make_bench(max_body_bytes=1024).client, input="x" * 2000)
    assert_refused(response, 413, "body_too_large", None, "QWEN_MAX_BODY_BYTES")


def test_every_error_under_v1_has_the_shape(client: FlaskClient) -> None:
    """What the router refuses, too."""
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/readyz", "/v1/audio/speech/"):
        assert_refused(client.get(path), 404, "not_found", None)
    response = client.get("/v1/audio/speech")
    assert_refused(response, 405, "method_not_allowed", None)
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert_refused(client.delete("/v1/models"), 405, "method_not_allowed", None)
    assert set(client.get("/v12").get_json()) == {"error", "code", "request_id"}


def test_keys_and_rate_limits_speak_as_openai_does(make_bench: MakeBench, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("the-only-key-there-is\n")
    client = make_bench(api_keys_file=keys, rate_limit=1).client
    response = client.get("/v1/models")
    assert_refused(response, 401, "invalid_api_key", None, "Authorization")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    headers = {"Authorization": "Bearer the-only-key-there-is"}
    assert client.get("/v1/models", headers=headers).status_code == 200
    response = client.get("/v1/models", headers=headers)
    assert_refused(response, 429, "rate_limit_exceeded", None, "QWEN_RATE_LIMIT")
    assert int(response.headers["Retry-After"]) > 0


def test_nothing_that_makes_a_client_take_the_server_for_another(client: FlaskClient) -> None:
    """wyoming_openai asks for LocalAI's /v1/readyz, Speaches' /health, Kokoro's /v1/test."""
    for path in ("/v1/readyz", "/health", "/v1/test"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.text != "OK"


@pytest.mark.parametrize(
    ("error", "status", "should_retry", "retry_after"),
    [
        (InvalidRequest("No."), 400, "false", None),
        (VoiceExists("No."), 409, "false", None),
        (SynthesisFailed("No."), 500, "false", None),
        (DeadlineExceeded("Late.", retry_after_s=1), 504, "false", None),
        (OutOfMemory("Full.", retry_after_s=5), 503, None, "5"),
        (ModelUnavailable("Gone."), 503, None, "5"),
        (QueueFull("Wait.", retry_after_s=7), 429, None, "7"),
        (RequestTimeout("Slow."), 408, None, None),
        (ZeroDivisionError("bug"), 500, "false", None),
    ],
)
def test_what_would_fail_again_says_so(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    should_retry: str | None,
    retry_after: str | None,
) -> None:
    """The official client retries 409, 429 and 5xx twice, unless `x-should-retry` is false."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(bench.service, "synthesize", fail)
    response = speak(bench.client, input="a")
    code = error.code if isinstance(error, TTSError) else "internal_error"
    assert_refused(response, status, code, None)
    assert response.headers.get("X-Should-Retry") == should_retry
    assert response.headers.get("Retry-After") == retry_after


def test_while_the_model_loads(make_bench: MakeBench) -> None:
    response = speak(make_bench(start=False).client, input="a")
    assert_refused(response, 503, "model_loading", None)
    assert int(response.headers["Retry-After"]) > 0


@for_each(
    ("fields", "streamed"),
    [
        ({}, False),
        ({"stream": True}, True),
        ({"stream": False}, False),
        ({"stream_format": "audio"}, True),
        ({"stream_format": "audio", "stream": False}, False),
        ({"stream_format": "audio", "stream": True}, True),
    ],
)
def test_audio_is_streamed_only_when_asked(
    bench: Bench, fields: dict[str, Any], streamed: bool
) -> None:
    response = speak(bench.client, input="Hello", response_format="pcm", **fields)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/pcm"
    assert ("Content-Length" not in response.headers) == streamed
    assert (response.headers.get("X-Accel-Buffering") == "no") == streamed
    assert len(response.data) == 5 * 1920 * 2
    assert bench.runner.prompts[-1].streaming == streamed


@pytest.mark.parametrize(
    ("setting", "header", "fields", "streamed"),
    [
        ("requested", "stream", {}, True),
        ("requested", "raw", {}, False),
        ("requested", "true", {}, False),
        ("requested", "stream", {"stream": False}, False),
        ("always", None, {}, True),
        ("always", None, {"stream": None, "stream_format": ""}, True),
        ("always", "stream", {"stream": False}, False),
    ],
)
def test_who_else_gets_a_stream(
    make_bench: MakeBench,
    setting: str,
    header: str | None,
    fields: dict[str, Any],
    streamed: bool,
) -> None:
    """openai-python's `with_streaming_response`, by its header; by a setting, all."""
    client = make_bench(openai_stream=setting).client
    headers = {"x-stainless-raw-response": header} if header else {}
    response = client.post("/v1/audio/speech", json={"input": "a", **fields}, headers=headers)
    assert response.status_code == 200
    assert ("Content-Length" not in response.headers) == streamed
    response = client.post("/v1/audio/speech", json={"input": ""}, headers=headers)
    assert_refused(response, 400, "text_required", "input")


@pytest.mark.parametrize("stream", [None, False, True])
def test_server_sent_events(bench: Bench, stream: bool | None) -> None:
    """The deltas are the file; at the end comes the usage: tokens of text, frames of audio."""
    text = "x" * 60
    whole = speak(bench.client, input=text, response_format="pcm").data
    response = speak(
        bench.client, input=text, response_format="pcm", stream_format="sse", stream=stream
    )
    assert response.status_code == 200
    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Seed"]
    *deltas, done = events_of(response.data)
    assert len(deltas) > 1
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert audio_of(deltas) == whole
    usage = {"input_tokens": 1000, "output_tokens": 60, "total_tokens": 1060}
    assert done == {"type": "speech.audio.done", "usage": usage, "finish_reason": "stop"}


def test_the_first_event_comes_before_the_last_frame_is_made(bench: Bench) -> None:
    response = bench.client.post(
        "/v1/audio/speech",
        json={"input": "x" * 400, "response_format": "pcm", "stream_format": "sse"},
        buffered=False,
    )
    events = response.iter_encoded()
    assert len(audio_of(events_of(next(events)))) == 2 * 1920
    assert len(audio_of(events_of(b"".join(events)))) == 2 * 1920 * 399


def test_errors_before_the_first_audio_have_their_status(bench: Bench) -> None:
    """Nothing was sent yet: the client learns it from the status line, and retries."""
    for stream in ({"stream_format": "sse"}, {"stream": True}):
        assert_refused(speak(bench.client, input="", **stream), 400, "text_required", "input")
        bench.runner.prefill_error = RuntimeError("weights on fire")
        assert_refused(speak(bench.client, input="a", **stream), 500, "synthesis_failed", None)


def test_a_failure_in_the_middle_is_an_event_and_no_clean_end(bench: Bench) -> None:
    """The generator raises, upon which gunicorn closes the connection without the last chunk."""
    response = bench.client.post(
        "/v1/audio/speech",
        json={"input": "x" * 3000, "stream_format": "sse", "response_format": "pcm"},
        buffered=False,
    )
    parts = response.iter_encoded()
    received = [next(parts)]
    bench.runner.error = RuntimeError("weights on fire")
    with pytest.raises(ConnectionResetError):
        received.extend(parts)
    error = events_of(b"".join(received))[-1]
    assert error["type"] == "error"
    assert set(error["error"]) == {"message", "type", "param", "code"}
    assert (error["error"]["code"], error["error"]["type"]) == ("synthesis_failed", "server_error")


@pytest.mark.parametrize("num_events", [0, 1])
def test_leaving_a_stream_of_events_frees_its_row(bench: Bench, num_events: int) -> None:
    """Even before the first event was taken, when a generator's `finally` would not run."""
    stream = bench.service.stream(SpeechRequest(text="x" * 100, stream=True))
    bench.runner.gate.clear()  # it does not come to its end by itself
    with bench.client.application.test_request_context():
        g.record = RequestRecord()
        events = Events(stream)
    for _ in range(num_events):
        next(events)
    events.close()
    wait_until(lambda: not bench.runner.slots[0].running)


def test_models_are_listed(client: FlaskClient) -> None:
    """Those that are served, the default one first; OpenAI's names are only understood."""
    document = client.get("/v1/models").get_json()
    assert document["object"] == "list"
    assert [model["id"] for model in document["data"]] == ["voice", "small", "design", "clone"]
    for model in document["data"]:
        assert (model["object"], model["owned_by"]) == ("model", "qwen-tts-api")
        assert isinstance(model["created"], int)
        assert client.get(f"/v1/models/{model['id']}").get_json() == model
    assert client.get("/v1/models/tts-1").get_json()["id"] == "voice"
    ids = [{"id": name} for name in ("voice", "small", "design", "clone")]
    assert client.get("/v1/audio/models").get_json() == {"models": ids}


def test_a_model_whose_name_has_a_slash(client: FlaskClient) -> None:
    """As ids of the hub have; clients send the slash plain or encoded."""
    for path in ("/v1/models/Qwen/x", "/v1/models/Qwen%2Fx"):
        assert_refused(client.get(path), 404, "model_not_found", "model", "'Qwen/x'")


@for_each(
    ("method", "path"),
    [
        ("POST", "/audio/speech"),
        ("POST", "/v1/v1/audio/speech"),
        ("POST", "/v1/audio/speech/audio/speech"),
        ("POST", "/v1/audio/speech/v1/audio/speech"),
        ("POST", "/api/v1/audio/speech"),
        ("POST", "/openai/audio/speech"),
        ("GET", "/audio/voices"),
        ("DELETE", "/audio/voices/anna"),
        ("GET", "/audio/models"),
        ("GET", "/v1/v1/models"),
    ],
)
def test_a_wrong_base_url_is_told_the_right_one(
    client: FlaskClient, method: str, path: str
) -> None:
    """In OpenAI's shape, which is what the client that has it can read."""
    response = client.open(path, method=method, json={"input": "Hi"} if method == "POST" else None)
    assert_refused(response, 404, "not_found", None, "/v1", "base URL", "localhost:8888/v1")
    assert response.headers["X-Should-Retry"] == "false"


def test_other_paths_are_not_openai_s(client: FlaskClient) -> None:
    for path in ("/nowhere", "/audio", "/audiobook/speech"):
        assert client.post(path).get_json()["code"] == "not_found"


@for_each("word", ["text", "speaker", "instruct", "audio_format", "ref_audio"])
def test_a_client_s_words_are_not_those_of_our_fields(client: FlaskClient, word: str) -> None:
    """Only the names of fields are OpenAI's; what a client sent is quoted as it is."""
    response = client.post("/v1/audio/speech", json={"input": "Hi", "voice": word})
    assert_refused(response, 400, "unknown_speaker", "voice", f"Unknown speaker '{word}';")
    response = client.post("/api/tts", json={"text": "Hi", "model": "design", "speaker": word})
    assert f"'speaker' is '{word}'" in response.get_json()["error"]
    marked = client.post("/v1/audio/speech", json={"input": "Hi", "voice": "\x1fspeaker\x1f"})
    assert "\\x1fspeaker\\x1f" in marked.get_json()["error"]["message"]


def test_fields_are_called_as_openai_does(client: FlaskClient) -> None:
    """In sentences, too."""
    response = client.post("/v1/audio/speech", json={"input": "Hi", "model": "clone"})
    message = response.get_json()["error"]["message"]
    assert "'voice'" in message
    assert "'speaker'" not in message


def test_an_error_names_fields_as_openai_does(client: FlaskClient) -> None:
    """In its sentence as in `param`; a client's own words stay as they are."""
    response = speak(client, input="a", voice="Ryan", instructions="text 'text' " * 400)
    assert_refused(response, 400, "text_too_long", "instructions", "'instructions' has 4799")
    response = speak(client, input="a", voice="'text'")
    assert_refused(response, 400, "unknown_speaker", "voice", "\"'text'\"")
