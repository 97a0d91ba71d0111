"""Long and unruly texts over HTTP: what is said, and what the headers tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Bench
from tests.routes.apis.native.test_tts import assert_error, post

MakeBench = Callable[..., Bench]
TEXT = "Here is a sentence of some length. " * 30


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_text_is_one_answer(make_bench: MakeBench, stream: bool) -> None:
    """All of it is spoken, in segments; the audio is as long as they and their pauses."""
    bench = make_bench(rows=4, max_segment_chars=200)
    response = post(bench.client, text=TEXT, audio_format="pcm", stream=stream, seed=5)
    num_bytes = len(response.data)
    num_segments = int(response.headers["X-Segments"])
    assert num_segments == len(bench.runner.prompts) == 6
    assert " ".join(prompt.text for prompt in bench.runner.prompts).split() == TEXT.split()
    assert response.headers["X-Text-Chars"] == str(len(TEXT.strip()))
    assert response.headers["X-Seed"] == "5"
    num_frames = sum(len(prompt.text) for prompt in bench.runner.prompts)
    num_samples = 1920 * num_frames + (num_segments - 1) * 6000
    assert num_bytes == 2 * num_samples
    if not stream:
        assert response.headers["X-Finish-Reason"] == "stop"
        assert response.headers["X-Audio-Duration"] == f"{num_samples / 24_000:.3f}"


def test_streamed_and_whole_are_the_same(make_bench: MakeBench) -> None:
    """Sample for sample, however the pieces come."""
    bench = make_bench(rows=3, max_segment_chars=100)
    whole = post(bench.client, text=TEXT, audio_format="pcm", seed=5)
    stream = post(bench.client, text=TEXT, audio_format="pcm", seed=5, stream=True)
    assert stream.data == whole.data


def test_a_short_text_is_one_segment(bench: Bench) -> None:
    """Told as well; nothing was changed, so that no header speaks of it."""
    response = post(bench.client, text="Hello")
    assert response.headers["X-Segments"] == "1"
    assert response.headers["X-Text-Chars"] == "5"
    assert "X-Text-Changes" not in response.headers


def test_what_was_taken_out_is_told(bench: Bench) -> None:
    """By kind; the model gets the rest."""
    response = post(bench.client, text="**Hello** 😀 _you_ 🎉!\u200b")
    assert bench.runner.prompts[-1].text == "Hello you!"
    assert response.headers["X-Text-Changes"] == "markup=2, emoji=2, invisible=1"
    assert response.headers["X-Text-Chars"] == "10"
    response = bench.client.get("/api/tts?text=*a*")
    assert response.headers["X-Text-Changes"] == "markup=1"


def test_a_request_may_have_its_text_as_it_is(make_bench: MakeBench) -> None:
    """By its own word, or else the setting's."""
    bench = make_bench()
    post(bench.client, text="**Hello**", normalize=False)
    assert bench.runner.prompts[-1].text == "**Hello**"
    bench.client.get("/api/tts?text=**Hello**&normalize=false")
    assert bench.runner.prompts[-1].text == "**Hello**"
    bench = make_bench(normalize_text=False)
    post(bench.client, text="**Hello**")
    assert bench.runner.prompts[-1].text == "**Hello**"
    post(bench.client, text="**Hello**", normalize=True)
    assert bench.runner.prompts[-1].text == "Hello"


def test_nothing_to_say_is_a_400(bench: Bench) -> None:
    assert_error(post(bench.client, text="😀"), 400, "unspeakable_text", "emoji")
    assert_error(
        post(bench.client, text="a", normalize="often"), 400, "invalid_request", "normalize"
    )


def test_a_failure_in_a_later_segment_is_no_answer(make_bench: MakeBench) -> None:
    """Half a text is not taken for a whole one."""
    bench = make_bench(max_segment_chars=100)
    bench.runner.max_positions = 80
    assert_error(post(bench.client, text="Short. " + "x" * 95), 400, "text_too_long", "positions")
