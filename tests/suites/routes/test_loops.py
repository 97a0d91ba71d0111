"""A model that repeats itself, over HTTP and sockets: what is sent, and what is told of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench
from tests.routes.apis.test_openai import events_of

MakeBench = Callable[..., Bench]
FRAME = 1920
FIRST = " " + ("Good morning to everybody. " * 3).strip() + " "
LOOPING = ("Loop here, and go on for a while. " * 2).strip()


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(rows=2, max_segment_chars=100)


def loop(bench: Bench, *, once: bool, begin: int = 40) -> None:
    """Let texts with a loop in them loop, in the first attempt or in any."""
    seen: set[str] = set()

    def loops(prompt: Prompt) -> int | None:
        is_first = prompt.text not in seen
        seen.add(prompt.text)
        return begin if "Loop" in prompt.text and (is_first or not once) else None

    bench.runner.loops = loops
    bench.runner.tokens = 60


def say(bench: Bench, text: str, **fields: Any) -> Any:
    response = bench.client.post("/api/tts", json={"text": text, "seed": 5, **fields})
    assert response.status_code == 200, response.text
    return response


def samples(data: bytes) -> Any:
    return soundfile.read(io.BytesIO(data), dtype="int16")[0]


@pytest.mark.parametrize("text", [LOOPING, FIRST + LOOPING, LOOPING + FIRST])
@pytest.mark.parametrize("audio_format", ["wav", "mp3", "pcm"])
def test_a_whole_file_is_as_if_nothing_had_been(bench: Bench, text: str, audio_format: str) -> None:
    """Its segment was made once more; what of it was encoded already is void."""
    fields = {"audio_format": audio_format, "sample_rate": 16_000}
    expected = say(bench, text, **fields)
    loop(bench, once=True)
    response = say(bench, text, **fields)
    assert response.headers["X-Finish-Reason"] == "stop"
    assert response.headers["X-Seed"] == "5"
    assert response.data == expected.data
    assert response.headers["X-Audio-Duration"] == expected.headers["X-Audio-Duration"]


def test_one_that_loops_again_is_cut(bench: Bench) -> None:
    """At its loop, and the text goes on behind it, after its pause."""
    alone = len(samples(say(bench, FIRST).data))
    loop(bench, once=False)
    response = say(bench, LOOPING)
    assert response.headers["X-Finish-Reason"] == "loop"
    cut = samples(response.data)
    assert len(cut) == 41 * FRAME
    assert abs(int(cut[-1])) <= 1
    response = say(bench, LOOPING + FIRST)
    assert response.headers["X-Finish-Reason"] == "loop"
    both = samples(response.data)
    pause = len(both) - alone - 41 * FRAME
    assert 0 < pause <= 24_000
    told = bench.client.get("/metrics").text
    assert 'qwen_tts_syntheses_total{model="voice",outcome="loop"} 2.0' in told
    # What was computed in vain is no audio of anybody's.
    seconds = (alone + len(cut) + len(both)) / 24_000
    [line] = [each for each in told.splitlines() if each.startswith("qwen_tts_audio_seconds_total")]
    assert float(line.split()[-1]) == pytest.approx(seconds, abs=0.3)


def test_a_stream_ends_shortly_behind_its_loop(bench: Bench) -> None:
    """Whether something was sent before it was noticed, or it was made twice."""
    loop(bench, once=False)
    response = say(bench, LOOPING, stream=True, audio_format="pcm")
    sent = np.frombuffer(response.data, np.int16)
    assert 41 * FRAME <= len(sent) <= 61 * FRAME
    assert abs(int(sent[-1])) <= 1
    response = bench.client.post(
        "/v1/audio/speech",
        json={"input": LOOPING + "!", "voice": "ryan", "stream_format": "sse"},
    )
    done = events_of(response.data)[-1]
    assert done["finish_reason"] == "loop"
    assert 41 <= done["usage"]["output_tokens"] <= 61


def test_a_designed_voice_that_loops_is_not_registered(bench: Bench) -> None:
    request = SpeechRequest("Loop.", instruct="A voice.", model="design")
    bench.service.synthesize(request)
    runner = bench.hub.runners["design"]
    runner.loops = lambda prompt: 3
    runner.tokens = 1
    with pytest.raises(InvalidRequest, match="another seed"):
        bench.service.design_voice("Anna", request)
