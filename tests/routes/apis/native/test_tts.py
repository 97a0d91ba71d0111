"""`POST /api/tts` in JSON: audio for good input, one envelope for bad."""

from __future__ import annotations

import io
import json
import logging
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.audio.decoding import audible, decode, peak_hz, rates
from tests.conftest import Bench, wait_until
from tests.rows import for_each

MakeBench = Callable[..., Bench]
PROMPT = Prompt("x", "auto", "ryan", "", SamplingParams(seed=1))


def post(client: FlaskClient, **fields: Any) -> TestResponse:
    """POST a JSON object."""
    return client.post("/api/tts", json=fields)


def assert_error(response: TestResponse, status: int, code: str, *words: str) -> None:
    """Check status, envelope, code, and that the sentence has the words."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert set(body) - {"fields"} == {"error", "code", "request_id"}
    assert body["code"] == code
    assert body["request_id"] == response.headers["X-Request-Id"]
    for word in words:
        assert word in body["error"]


def test_wav(client: FlaskClient) -> None:
    """24 kHz, mono, 16 bit, exact length, with sound in it."""
    response = post(client, text="Hello")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/wav"
    assert response.headers["Content-Length"] == str(len(response.data))
    assert response.headers["Cache-Control"] == "no-cache"
    assert "Content-Disposition" not in response.headers
    with wave.open(io.BytesIO(response.data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(samples) == 5 * 1920
    assert np.abs(samples).max() > 1000


@for_each(("name", "rate_hz"), rates())
def test_every_format_at_every_rate(client: FlaskClient, name: str, rate_hz: int) -> None:
    """With its type, an exact length in bytes and in samples, and the tone that was said."""
    response = post(client, text="Hello", audio_format=name, sample_rate=rate_hz)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == FORMATS[name].media_type
    assert response.headers["Content-Length"] == str(len(response.data))
    assert response.headers["X-Sample-Rate"] == str(rate_hz)
    assert response.headers["X-Audio-Duration"] == "0.400"
    samples = audible(name, decode(name, response.data, rate_hz), rate_hz * 4 // 10)
    assert len(samples) == rate_hz * 4 // 10
    assert peak_hz(samples, rate_hz, 220) == pytest.approx(220, rel=0.01)


def test_speed(client: FlaskClient) -> None:
    """The length changes, and what tells it; the pitch does not; 1 is the model's own."""
    own = post(client, text="Hello", audio_format="pcm")
    assert post(client, text="Hello", audio_format="pcm", speed=1).data == own.data
    faster = post(client, text="Hello", audio_format="pcm", speed=1.25)
    assert faster.headers["X-Audio-Duration"] == "0.320"
    samples = decode("pcm", faster.data, 24_000)
    assert len(samples) == 24_000 * 32 // 100
    assert peak_hz(samples, 24_000, 220) == pytest.approx(220, rel=0.01)
    slower = client.get("/api/tts?text=Hello&speed=0.5&sample_rate=8000&audio_format=mulaw")
    assert (slower.headers["X-Audio-Duration"], len(slower.data)) == ("0.800", 6400)


def test_headers_tell_how_it_came_about(client: FlaskClient) -> None:
    """Every synthesis says what was used and how long it took."""
    response = post(client, text="Hello", seed=7)
    assert response.headers["X-Audio-Duration"] == "0.400"
    assert float(response.headers["X-RTF"]) >= 0
    assert float(response.headers["X-Queue-Time"]) >= 0
    assert response.headers["X-Seed"] == "7"
    assert response.headers["X-Model"] == "voice"
    assert response.headers["X-Finish-Reason"] == "stop"
    assert "model;dur=" in response.headers["Server-Timing"]
    assert len(response.headers["X-Request-Id"]) == 32


def test_fields_reach_the_model(bench: Bench) -> None:
    """Names in any case, languages by name or code, aliases."""
    post(
        bench.client,
        text=" Hello ",
        language="de-DE",
        speaker="UNCLE_FU",
        instruct="slowly",
        model="voice",
        seed=5,
    )
    spoken = bench.runner.prompts[-1]
    assert (spoken.text, spoken.language, spoken.speaker) == ("Hello", "german", "uncle_fu")
    assert (spoken.instruct, spoken.sampling.seed) == ("slowly", 5)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_and_null_mean_default(bench: Bench, empty: str | None) -> None:
    """Many clients always send every field."""
    fields = dict.fromkeys(("language", "speaker", "instruct", "model", "audio_format"), empty)
    assert post(bench.client, text="Hi", **fields, seed=None).status_code == 200
    spoken = bench.runner.prompts[-1]
    assert (spoken.language, spoken.speaker, spoken.instruct) == ("auto", "ryan", "")


def test_settings_are_the_defaults(make_bench: MakeBench) -> None:
    """Language, speaker, instruct, aliases."""
    bench = make_bench(
        default_language="English",
        default_speaker="narrator",
        default_instruct="calm",
        speaker_aliases=(("Narrator", "Serena"),),
    )
    post(bench.client, text="Hi")
    spoken = bench.runner.prompts[-1]
    assert (spoken.language, spoken.speaker, spoken.instruct) == ("english", "serena", "calm")


def test_seeds_differ_unless_given(bench: Bench) -> None:
    """Without a seed each request draws its own, and says which."""
    first, second = (post(bench.client, text="Hi").headers["X-Seed"] for _ in range(2))
    assert first != second
    assert [str(spoken.sampling.seed) for spoken in bench.runner.prompts] == [first, second]


def test_a_drawn_seed_survives_javascript(bench: Bench) -> None:
    """Whose numbers are exact up to 2^53."""
    for _ in range(50):
        post(bench.client, text="Hi")
    seeds = [spoken.sampling.seed for spoken in bench.runner.prompts]
    assert all(int(float(seed)) == seed < 2**53 for seed in seeds)
    assert max(seeds) > 2**48


def test_a_string_of_digits_is_a_seed(bench: Bench) -> None:
    """As JavaScript holds one that is larger, in every dialect."""
    for seed in ("7", "0", str(2**63 - 1)):
        response = post(bench.client, text="a", seed=seed)
        assert response.headers["X-Seed"] == seed
        response = bench.client.post("/v1/audio/speech", json={"input": "a", "seed": seed})
        assert response.headers["X-Seed"] == seed
    for wrong in ("-1", "1.5", "1e3", "x", "0x7", " ", str(2**63), "9" * 400):
        response = post(bench.client, text="a", seed=wrong)
        assert_error(response, 400, "invalid_request", "seed")


def test_a_whole_number_may_have_a_point(bench: Bench) -> None:
    """To JSON 8000.0 is the number 8000, and some languages write no other; in every field."""
    fields = {"sample_rate": 8000.0, "top_k": 5.0, "max_new_tokens": 8.0, "seed": 7.0}
    response = post(bench.client, text="a", **fields)
    assert response.status_code == 200
    assert (response.headers["X-Sample-Rate"], response.headers["X-Seed"]) == ("8000", "7")
    for name in fields:
        refused = post(bench.client, text="a", **{name: 7.5})
        assert_error(refused, 400, "invalid_request", name)


def test_request_id_is_taken_over_if_harmless(client: FlaskClient) -> None:
    """A proxy's id goes on; what could break a log line does not."""
    response = client.get("/healthz", headers={"X-Request-Id": "abc-1.2_3"})
    assert response.headers["X-Request-Id"] == "abc-1.2_3"
    response = client.get("/healthz", headers={"X-Request-Id": 'a" b'})
    assert response.headers["X-Request-Id"] != 'a" b'


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "invalid_request", ["is empty", "JSON"]),
        (b" \n", "invalid_request", ["is empty", "JSON"]),
        (b"{", "invalid_request", ["JSON"]),
        (b'"text"', "invalid_request", ["a string"]),
        (b"[]", "invalid_request", ["an array"]),
        (b"null", "invalid_request", ["null"]),
        (b"7", "invalid_request", ["a number"]),
        (b"\xff\xfe", "invalid_request", ["JSON"]),
        (b'{"text": "a", "seed": NaN}', "invalid_request", ["NaN"]),
        (b'{"text": "a", "seed": Infinity}', "invalid_request", ["Infinity"]),
        (b'{"text": "a", "seed": 1.5}', "invalid_request", ["seed"]),
        (b'{"text": "a", "seed": -1}', "invalid_request", ["seed"]),
        (b'{"text": "a", "seed": true}', "invalid_request", ["seed"]),
        (b'{"text": "a", "seed": 9223372036854775808}', "invalid_request", ["seed"]),
        (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_request", ["deep"]),
        (b"{}", "text_required", ["Text parameter is required"]),
        (b'{"text": null}', "text_required", ["Text parameter is required"]),
        (b'{"text": ""}', "text_required", ["Text parameter is required"]),
        (b'{"text": " \\n\\t"}', "text_required", ["Text parameter is required"]),
        (b'{"text": 7}', "invalid_request", ["text", "string"]),
        (b'{"text": ["a"]}', "invalid_request", ["text", "string"]),
        (b'{"text": "a", "speaker": 7}', "invalid_request", ["speaker", "string"]),
        (b'{"text": "a", "speeker": "x"}', "invalid_request", ["'speeker'", "'speaker'"]),
        (b'{"text": "a", "zzz": "x"}', "invalid_request", ["'zzz'", "audio_format"]),
        (b'{"text": "\\u0000\\u200b"}', "unspeakable_text", ["control characters"]),
        (b'{"text": "a\\ud800"}', "unspeakable_text", ["Unicode"]),
        (b'{"text": "a", "instruct": "\\ud800"}', "unspeakable_text", ["Unicode"]),
        (b'{"text": "a", "speaker": "Bob"}', "unknown_speaker", ["'Bob'", "Uncle_Fu, Ryan"]),
        (b'{"text": "a", "language": "xx"}', "unknown_language", ["'xx'", "German"]),
        (b'{"text": "a", "language": "ja"}', "unknown_language", ["'ja'", "German"]),
        (
            b'{"text": "a", "audio_format": "mid"}',
            "unknown_format",
            ["'mid'", "wav, mp3, opus, ogg, flac, pcm"],
        ),
        (b'{"text": "a", "model": "/etc"}', "unknown_model", ["'/etc'", "voice, small"]),
    ],
)
def test_bad_input_is_a_400_that_says_why(
    bench: Bench, caplog: pytest.LogCaptureFixture, body: bytes, code: str, words: list[str]
) -> None:
    """Never a 500, never logged as an error, and the model is not troubled."""
    response = bench.client.post("/api/tts", data=body, content_type="application/json")
    assert_error(response, 400, code, *words)
    assert not bench.runner.prompts
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_too_long_a_text(make_bench: MakeBench) -> None:
    """The limit is in characters, and itself allowed."""
    client = make_bench(max_text_chars=10).client
    assert post(client, text="ä" * 10).status_code == 200
    assert_error(post(client, text="ä" * 11), 400, "text_too_long", "11", "10")


def test_too_large_a_body(make_bench: MakeBench) -> None:
    """413, with a length and without."""
    client = make_bench(max_body_bytes=1024).client
    body = json.dumps({"text": "a" * 2000}).encode()
    response = client.post("/api/tts", data=body, content_type="application/json")
    assert_error(response, 413, "body_too_large", "1024")
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    response = client.post(
        "/api/tts",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides=chunked,
    )
    assert_error(response, 413, "body_too_large", "1024")


def test_a_body_that_is_cut_short(client: FlaskClient) -> None:
    """Half a body is not taken for a whole one."""
    response = client.post(
        "/api/tts",
        input_stream=io.BytesIO(b'{"text": "a"}'),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": "100"},
    )
    assert_error(response, 400, "invalid_request", "13 of 100")


def test_voice_design_takes_instruct_and_no_speaker(bench: Bench) -> None:
    """A field that the model cannot honour is refused, not dropped."""
    assert post(bench.client, text="a", model="design", instruct="an old man").status_code == 200
    spoken = bench.hub.runners["design"].prompts[-1]
    assert (spoken.speaker, spoken.instruct) == (None, "an old man")
    response = post(bench.client, text="a", model="design", speaker="Ryan")
    assert_error(response, 400, "not_supported", "'Ryan'", "instruct")


def test_small_custom_voice_refuses_instruct(make_bench: MakeBench) -> None:
    """The 0.6B model would drop it; a default instruct is simply not used there."""
    bench = make_bench(default_instruct="calm")
    response = post(bench.client, text="a", model="small", instruct="angry")
    assert_error(response, 400, "not_supported", "instruct")
    assert post(bench.client, text="a", model="small").status_code == 200
    assert bench.hub.runners["small"].prompts[-1].instruct == ""


def test_base_needs_reference_audio(client: FlaskClient) -> None:
    """Cloning is not speaking with a given voice."""
    response = post(client, text="a", model="clone")
    assert_error(response, 400, "reference_required", "reference audio")


def test_while_loading(make_bench: MakeBench) -> None:
    """503 and when to come back; but a bad request is told so already."""
    client = make_bench(start=False).client
    response = post(client, text="a")
    assert_error(response, 503, "model_loading")
    assert int(response.headers["Retry-After"]) > 0
    assert_error(post(client, text=""), 400, "text_required")


def test_a_full_queue(make_bench: MakeBench) -> None:
    """429 and when to come back."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    bench.pool.submit("voice", PROMPT)
    wait_until(bench.runner.running.is_set)
    bench.pool.submit("voice", PROMPT)
    response = post(bench.client, text="a")
    assert_error(response, 429, "queue_full", "QWEN_MAX_QUEUE")
    assert int(response.headers["Retry-After"]) > 0


def test_past_the_deadline(make_bench: MakeBench) -> None:
    """504, and the model is free for the next one."""
    bench = make_bench(request_timeout_s=0.2)
    bench.runner.gate.clear()
    # A text whose frame budget would not end it for a minute.
    assert_error(post(bench.client, text="a" * 1000), 504, "deadline_exceeded", "0.2 s")
    wait_until(lambda: not bench.runner.slots[0].running)
    bench.runner.gate.set()
    assert post(bench.client, text="a").status_code == 200


def test_a_failure_of_the_model(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """500 with a fixed sentence; the cause is in the log."""
    bench.runner.error = RuntimeError("weights on fire")
    response = post(bench.client, text="a")
    assert_error(response, 500, "synthesis_failed")
    assert "fire" not in response.text
    assert "weights on fire" in caplog.text
    assert "Retry-After" not in response.headers


def test_an_unexpected_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last resort keeps the envelope."""
    monkeypatch.setattr(bench.service, "synthesize", lambda *_: 1 / 0)
    response = post(bench.client, text="a")
    assert_error(response, 500, "internal_error")
    assert "ZeroDivisionError" in caplog.text


def test_the_text_is_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Logs say what happened, not what was said."""
    caplog.set_level(logging.DEBUG)
    post(bench.client, text="my secret").close()
    bench.client.get("/api/tts?text=my+secret").close()
    assert "/api/tts" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_wrong_method(client: FlaskClient, method: str) -> None:
    """405 with the methods that are allowed."""
    response = getattr(client, method)("/api/tts")
    assert_error(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ["/api/ttss", "/api/tts/", "/v2"])
def test_wrong_path(client: FlaskClient, path: str) -> None:
    """404 in the envelope, not HTML."""
    assert_error(client.get(path), 404, "not_found")
