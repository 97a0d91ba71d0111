"""What is a loop, what is none, and what becomes of the audio at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.engine.sequences.loop_guard import LoopGuard, fade_out
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import read
from tests.engine.test_scheduler import explain, finish, sound
from tests.fakes import SAMPLES_PER_FRAME, FakeRunner
from tests.rows import for_each


def ends(codes: Sequence[int], num_tokens: int, *, token_per_frame: bool = False) -> int | None:
    """Return how many codes there were before the one at which a loop was seen."""
    guard = LoopGuard(token_per_frame)
    for number, code in enumerate(codes):
        if guard.sees_loop(code, number, num_tokens):
            return number
    return None


def test_twenty_equal_codes_are_a_loop_anywhere() -> None:
    other = list(range(50))
    assert ends([*other, *[7] * 20], 100) == 69
    assert ends([*other, *[7] * 19, 8, *[7] * 19], 100) is None
    assert ends([7] * 20, 100) == 19


def test_ten_are_one_where_the_text_must_be_over() -> None:
    """At two frames a token, counted at each code."""
    other = list(range(50))
    assert ends([*other, *[7] * 10], 25) == 59
    assert ends([*other, *[7] * 10], 30) is None
    assert ends([*other, *[7] * 19], 30) == 60
    assert ends([*other, *[7] * 9, 8], 25) is None


def test_where_a_token_is_a_frame_pauses_may_be_as_long_as_the_text() -> None:
    assert ends([7] * 90, 100, token_per_frame=True) is None
    assert ends([7] * 300, 100, token_per_frame=True) == 200


def test_a_frame_is_faded_out() -> None:
    faded = fade_out(np.full(3 * SAMPLES_PER_FRAME, 1000, np.int16))
    assert (faded[: 2 * SAMPLES_PER_FRAME] == 1000).all()
    tail = faded[2 * SAMPLES_PER_FRAME :]
    assert tail[-1] == 0
    assert (np.diff(tail.astype(int)) <= 0).all()
    assert fade_out(np.full(3, 9, np.int16)).tolist() == [6, 3, 0]


def loops(begin: int, *, attempts: int = 2) -> FakeRunner:
    """Return a runner whose texts of `x` repeat themselves: both attempts, or the first alone."""
    return FakeRunner(
        max_slots=4,
        tokens=100,
        loops=lambda prompt: (
            begin if "x" in prompt.text and (attempts > 1 or prompt.sampling.seed == 0) else None
        ),
    )


def job(text: str, *, streaming: bool = False, sampling: SamplingParams | None = None) -> Job:
    return Job(Prompt(text, "auto", "ryan", "", sampling or SamplingParams(), streaming=streaming))


@for_each("lag", [0, 1])
@for_each("streaming", [False, True])
@for_each(("begin", "num_tokens"), [(0, 100), (1, 100), (30, 100), (30, 5), (47, 9)])
def test_a_loop_ends_the_utterance_and_nobody_else_s(
    lag: int, streaming: bool, begin: int, num_tokens: int
) -> None:
    """At its beginning, amid it, behind the text; what was not sent of it is not."""
    runner = loops(begin)
    runner.lag, runner.tokens = lag, num_tokens
    scheduler = Scheduler(runner, explain)
    looping, beside = job("x" * 60, streaming=streaming), job("y" * 90, streaming=streaming)
    scheduler.add(beside)
    scheduler.add(looping)
    taken = []
    while not scheduler.is_idle:
        scheduler.step()
        if streaming and (samples := looping.take()) is not None:
            taken.append(samples)
    samples = np.concatenate([*taken, read(looping)])
    assert looping.finish_reason == "loop"
    assert looping.num_attempts == (1 if streaming else 2)
    num_frames = len(samples) // SAMPLES_PER_FRAME
    assert num_frames == looping.num_frames
    limit = 20 if num_tokens == 100 else 10
    assert begin < num_frames <= begin + (limit if streaming else 1)
    whole = SAMPLES_PER_FRAME * (num_frames - 1)
    assert samples[:whole].tolist() == sound(num_frames)[:whole]
    assert abs(samples[-1]) <= 1
    assert read(beside).tolist() == sound(90)
    assert beside.finish_reason == "stop"
    assert scheduler.num_free == 4
    assert runner.pages == {}


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("begin", [0, 45])
def test_what_was_not_sent_is_made_once_more(lag: int, begin: int) -> None:
    """With another seed that depends on the first; the time and the end are those of one job."""
    seeds = []
    for _ in range(2):
        runner = loops(begin, attempts=1)
        runner.lag = lag
        scheduler = Scheduler(runner, explain)
        once = job("x" * 60)
        scheduler.add(once)
        finish(scheduler)
        assert read(once).tolist() == sound(60)
        assert (once.finish_reason, once.num_attempts, once.num_frames) == ("stop", 2, 60)
        seeds.append([prompt.sampling.seed for prompt in runner.prompts])
    assert seeds[0] == seeds[1]
    assert len({*seeds[0]}) == 2
    assert seeds[0][0] == 0  # the first attempt is as it always was


@for_each("lag", [0, 1])
def test_a_long_pause_is_decoded_before_its_frames_are_overwritten(lag: int) -> None:
    """A file waits for the end of what may be a loop, and no longer than for that."""
    runner = loops(10)
    runner.card = replace(runner.card, token_per_frame=True)
    runner.lag = lag
    scheduler = Scheduler(runner, explain)
    pausing = Job(Prompt("x" * 60, "auto", "ryan", "", SamplingParams(), max_new_tokens=151))
    scheduler.add(pausing)
    finish(scheduler)
    assert read(pausing).tolist() == sound(150)
    assert pausing.finish_reason == "length"


def test_what_would_be_the_same_again_is_not_made_again() -> None:
    scheduler = Scheduler(loops(3), explain)
    greedy = job("x" * 60, sampling=SamplingParams(temperature=0, subtalker_temperature=0))
    scheduler.add(greedy)
    finish(scheduler)
    assert (greedy.finish_reason, greedy.num_attempts) == ("loop", 1)


def test_one_that_is_cancelled_is_not_made_again() -> None:
    runner = loops(0)
    scheduler = Scheduler(runner, explain)
    gone = job("x" * 60)
    scheduler.add(gone)
    for _ in range(5):
        scheduler.step()
    gone.cancel(RuntimeError("gone"))  # type: ignore[arg-type]
    finish(scheduler)
    assert gone.num_attempts == 1
    assert scheduler.num_free == 4
