"""A text with nothing to say: a short silence where voice agents ask, an error where people do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.service.synthesis.segmented_job import SILENCE_S
from tests.audio.decoding import decode, rates
from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error, post
from tests.routes.apis.test_marytts import assert_refused as assert_refused_in_a_line
from tests.routes.apis.test_openai import assert_refused, audio_of, events_of, speak
from tests.rows import for_each

MakeBench = Callable[..., Bench]

TEXTS = ["…", "—", "\N{GRINNING FACE}", "...", "?!", " ", "\n", "**", "\u200b", "\x00", "<br>"]


def assert_silent(response: TestResponse, name: str = "wav", rate_hz: int = 24_000) -> None:
    """Check that a file is a short silence, and says why."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == FORMATS[name].media_type
    assert response.headers["X-Finish-Reason"] == "nothing_to_say"
    assert response.headers["X-Sample-Rate"] == str(rate_hz)
    samples = decode(name, response.data, rate_hz)
    assert len(samples) >= SILENCE_S * rate_hz
    assert abs(samples.astype(int)).max() < 16


@for_each("text", TEXTS)
def test_openai(bench: Bench, text: str) -> None:
    response = speak(bench.client, input=text)
    assert_silent(response)
    assert response.headers["X-Audio-Duration"] == f"{SILENCE_S:.3f}"
    assert response.headers["Content-Length"] == str(len(response.data))
    assert (response.headers["X-Text-Chars"], response.headers["X-Segments"]) == ("0", "0")
    assert not bench.runner.prompts


@for_each(("name", "rate_hz"), rates())
def test_every_format_at_every_rate(client: FlaskClient, name: str, rate_hz: int) -> None:
    response = speak(client, input="…", response_format=name, sample_rate=rate_hz)
    assert_silent(response, name, rate_hz)


def test_what_was_taken_out_is_told(client: FlaskClient) -> None:
    assert speak(client, input="\N{GRINNING FACE}").headers["X-Text-Changes"] == "emoji=1"


def test_streams_and_events(client: FlaskClient) -> None:
    """The reason stands at the head; the usage counts nothing."""
    response = speak(client, input="…", response_format="pcm", stream=True)
    assert_silent(response, "pcm")
    assert "Content-Length" not in response.headers
    response = speak(client, input="…", response_format="pcm", stream_format="sse")
    assert response.headers["X-Finish-Reason"] == "nothing_to_say"
    events = events_of(response.data)
    assert len(audio_of(events)) == 2 * SILENCE_S * 24_000
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert events[-1] == {
        "type": "speech.audio.done",
        "usage": usage,
        "finish_reason": "nothing_to_say",
    }


@pytest.mark.parametrize("text", ["…", " "])
def test_marytts(client: FlaskClient, text: str) -> None:
    """Home Assistant waits for ever where it gets an error."""
    assert_silent(client.get("/process", query_string={"INPUT_TEXT": text}))
    assert_silent(client.post("/process", data=f"INPUT_TEXT={text}".encode()))


@for_each("text", TEXTS)
def test_api_tts_refuses_it(client: FlaskClient, text: str) -> None:
    code = "unspeakable_text" if text.strip() else "text_required"
    assert_error(post(client, text=text), 400, code)
    assert_error(client.get("/api/tts", query_string={"text": text}), 400, code)


@pytest.mark.parametrize("text", TEXTS)
def test_api_tts_is_silent_by_a_setting(make_bench: MakeBench, text: str) -> None:
    """Ours and Coqui's."""
    client = make_bench(unspeakable_text="silence").client
    assert_silent(post(client, text=text))
    assert_silent(client.get("/api/tts", query_string={"text": text}))


def test_no_text_is_an_error_everywhere(make_bench: MakeBench) -> None:
    client = make_bench(unspeakable_text="silence").client
    for text in ("", None):
        assert_refused(speak(client, input=text), 400, "text_required", "input")
        assert_error(post(client, text=text), 400, "text_required")
    assert_error(client.get("/api/tts?text="), 400, "text_required")
    assert_refused_in_a_line(client.get("/process?INPUT_TEXT="), 400, "INPUT_TEXT")


def test_other_errors_stay(client: FlaskClient) -> None:
    assert_refused(speak(client, input="…", voice="Bob"), 400, "unknown_speaker", "voice")
    assert_refused(speak(client, input="…", model="gpt-9"), 404, "model_not_found", "model")
    assert_refused(speak(client, input="…\ud800"), 400, "unspeakable_text", "input")
    assert_refused(speak(client, input="…" * 5000), 400, "text_too_long", "input")
    assert speak(client, input="…", normalize=False).headers["X-Finish-Reason"] == "stop"


def test_it_is_counted_and_not_measured(bench: Bench) -> None:
    """The model would look fast."""
    speak(bench.client, input="…").close()
    families = text_string_to_metric_families(bench.client.get("/metrics").text)
    samples = {
        (sample.name, sample.labels.get("outcome")): sample.value
        for family in families
        for sample in family.samples
    }
    assert samples["qwen_tts_syntheses_total", "nothing_to_say"] == 1
    assert samples["qwen_tts_real_time_factor_count", None] == 0
    assert samples["qwen_tts_queue_seconds_count", None] == 0
