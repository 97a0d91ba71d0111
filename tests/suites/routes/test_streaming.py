"""`"stream": true`: audio as it is made, and no clean end where it was not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qwen_tts_api.audio import FORMATS
from tests.audio.decoding import audible, decode, difference
from tests.conftest import Bench, wait_until
from tests.routes.apis.native.test_tts import assert_error, post
from tests.rows import for_each

MakeBench = Callable[..., Bench]


@for_each("name", FORMATS)
def test_the_same_audio_in_parts(bench: Bench, name: str) -> None:
    """Chunked, without a length; the samples are those of the whole file."""
    text = "x" * 60
    whole = post(bench.client, text=text, audio_format=name)
    response = post(bench.client, text=text, audio_format=name, stream=True)
    assert response.status_code == whole.status_code == 200
    assert response.headers["Content-Type"] == FORMATS[name].media_type
    assert "Content-Length" not in response.headers
    assert response.headers["X-Seed"]
    assert response.headers["X-Model"] == "voice"
    rate_hz = int(response.headers["X-Sample-Rate"])
    assert rate_hz == int(whole.headers["X-Sample-Rate"])
    file = whole.data
    data = response.data if name != "flac" else file[:42] + response.data[42:]
    num_samples = 60 * rate_hz * 80 // 1000
    samples = audible(name, decode(name, data, rate_hz), num_samples)
    expected = audible(name, decode(name, file, rate_hz), num_samples)
    assert len(expected) == len(samples) == num_samples
    assert difference(samples, expected) < 0.1


def test_the_first_part_comes_before_the_last_is_made(bench: Bench) -> None:
    """While the model is held, what was made is there already."""
    response = bench.client.post(
        "/api/tts",
        json={"text": "x" * 400, "stream": True, "audio_format": "pcm"},
        buffered=False,
    )
    parts = response.iter_encoded()
    assert len(next(parts)) == 2 * 1920
    assert sum(len(part) for part in parts) == 2 * 1920 * 399


def test_errors_before_the_first_part_have_their_status(bench: Bench) -> None:
    """Nothing was sent yet, so nothing is lost."""
    assert_error(post(bench.client, text="", stream=True), 400, "text_required")
    bench.runner.prefill_error = RuntimeError("weights on fire")
    assert_error(post(bench.client, text="a", stream=True), 500, "synthesis_failed")
    assert_error(post(bench.client, text="a", stream="often"), 400, "invalid_request", "stream")


def test_a_failure_in_the_middle_is_no_clean_end(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The generator raises, upon which gunicorn closes the connection without the last chunk."""
    response = bench.client.post(
        "/api/tts", json={"text": "x" * 3000, "stream": True}, buffered=False
    )
    parts = response.iter_encoded()
    next(parts)
    bench.runner.error = RuntimeError("weights on fire")
    with pytest.raises(ConnectionResetError):
        for _ in parts:
            pass
    assert "was broken off" in caplog.text
    assert "synthesis_failed" in caplog.text


def test_closing_a_stream_frees_its_row(bench: Bench) -> None:
    """What a server does when the client has left."""
    response = bench.client.post(
        "/api/tts", json={"text": "x" * 3000, "stream": True}, buffered=False
    )
    next(response.iter_encoded())
    response.close()
    wait_until(lambda: not bench.runner.slots[0].running)
    assert bench.runner.slots[0].frame < 3000


def test_sampling_parameters_reach_the_model(bench: Bench) -> None:
    """Each by its name; what is not given is as published."""
    post(
        bench.client,
        text="a",
        seed=3,
        temperature=0,
        top_k=0,
        top_p=0.5,
        repetition_penalty=1.2,
        max_new_tokens=9,
        subtalker_temperature=0.1,
        subtalker_top_k=7,
        subtalker_top_p=1,
    )
    spoken = bench.runner.prompts[-1]
    sampling = spoken.sampling
    assert spoken.max_new_tokens == 9
    assert (sampling.seed, sampling.temperature, sampling.top_k, sampling.top_p) == (3, 0, 0, 0.5)
    assert sampling.repetition_penalty == 1.2
    assert (sampling.subtalker_temperature, sampling.subtalker_top_k) == (0.1, 7)
    post(bench.client, text="a")
    sampling = bench.runner.prompts[-1].sampling
    assert (sampling.temperature, sampling.top_k, sampling.top_p) == (0.9, 50, 1.0)
    bench.client.get("/api/tts?text=a&temperature=0.5&top_k=3&stream=true")
    sampling = bench.runner.prompts[-1].sampling
    assert (sampling.temperature, sampling.top_k) == (0.5, 3)
    assert bench.runner.prompts[-1].streaming


@for_each(
    ("name", "values"),
    [
        ("temperature", [-0.1, 10.1, "0.5", True]),
        ("top_k", [-1, 3073, 1.5, "5"]),
        ("top_p", [0, 1.1, "1"]),
        ("repetition_penalty", [0, 11]),
        ("max_new_tokens", [1, 8193]),
        ("subtalker_temperature", [-1]),
        ("subtalker_top_k", [-1]),
        ("subtalker_top_p", [0]),
    ],
)
def test_sampling_parameters_are_bounded(bench: Bench, name: str, values: list[object]) -> None:
    """Out of bounds or of the wrong type is a 400 that names the field."""
    for value in values:
        response = post(bench.client, text="a", **{name: value})
        assert_error(response, 400, "invalid_request", name)
    assert not bench.runner.prompts
