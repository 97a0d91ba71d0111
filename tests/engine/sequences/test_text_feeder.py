"""Text that arrives while it is spoken: a slot without text waits, and costs nobody anything."""

from __future__ import annotations

import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import ArrivingText, Prompt, SamplingParams
from tests.conftest import Bench, read, wait_until
from tests.fakes import SAMPLES_PER_FRAME, FakeRunner

BLANK = Prompt("", "auto", "ryan", "", SamplingParams(), streaming=True)


def explain(error: Exception) -> TTSError:
    raise error


def arriving(text: str) -> tuple[Job, ArrivingText]:
    source = ArrivingText(text)
    prompt = Prompt("", "auto", "ryan", "", SamplingParams(), streaming=True, arriving=source)
    return Job(prompt), source


@pytest.fixture(params=[0, 1])
def runner(request: pytest.FixtureRequest) -> FakeRunner:
    return FakeRunner(lag=request.param)


def test_a_slot_without_text_waits_and_its_company_goes_on(runner: FakeRunner) -> None:
    """It is in no batch meanwhile; what was computed of it is heard."""
    scheduler = Scheduler(runner, explain)
    live, text = arriving("Hello")
    other = Job(Prompt("x" * 40, "auto", "ryan", "", SamplingParams()))
    scheduler.add(live)
    scheduler.add(other)
    for _ in range(12):
        scheduler.step()
    assert live.num_frames == 3  # of five tokens one may change, and one was in the prefill
    assert runner.batches[-1] == [1]
    assert not scheduler.awaits_text
    text.append(" you")
    for _ in range(12):
        scheduler.step()
    assert live.num_frames == 7
    while not other.ended:
        scheduler.step()
        other.take()
    for _ in range(3):
        scheduler.step()
    assert scheduler.awaits_text
    text.finish()
    assert not scheduler.awaits_text
    while not scheduler.is_idle:
        scheduler.step()
    assert len(read(live)) == 9 * SAMPLES_PER_FRAME
    assert live.finish_reason == "stop"
    assert live.num_text_tokens == 9


def test_a_job_begins_with_its_first_token(runner: FakeRunner) -> None:
    """Others are not held up by it, and it holds a place."""
    scheduler = Scheduler(runner, explain)
    live, text = arriving("H")
    scheduler.add(live)
    scheduler.step()
    assert scheduler.awaits_text
    assert not runner.prompts
    text.append("i")
    assert not scheduler.awaits_text
    scheduler.step()
    assert [prompt.text for prompt in runner.prompts] == ["Hi"]
    text.finish()
    while not scheduler.is_idle:
        scheduler.step()
    assert len(read(live)) == 2 * SAMPLES_PER_FRAME


def test_one_that_waits_can_be_cancelled(runner: FakeRunner) -> None:
    scheduler = Scheduler(runner, explain)
    for text in "H", "Hello":
        live, _ = arriving(text)
        scheduler.add(live)
        for _ in range(9):
            scheduler.step()
        assert scheduler.awaits_text
        live.cancel(TTSError("nobody listens"))
        assert not scheduler.awaits_text
        scheduler.step()
        assert scheduler.is_idle
        assert scheduler.num_free == runner.max_slots


def test_a_text_that_becomes_too_long_fails_alone(
    runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(runner, lambda error: TTSError(str(error)))
    live, text = arriving("Hello")
    scheduler.add(live)
    scheduler.step()
    text.append("x" * 5000)
    for _ in range(3):
        scheduler.step()
    assert live.failure == "internal_error"
    assert scheduler.is_idle


def test_the_engine_sleeps_until_there_is_text(bench: Bench) -> None:
    """It computes no frame in the meantime, and wakes for text and for a cancel."""
    text = ArrivingText("Hello")
    job = bench.pool.submit("voice", Prompt(**{**vars(BLANK), "arriving": text}))
    wait_until(lambda: job.num_frames == 3)
    num_batches = len(bench.runner.batches)
    text.append(" you")
    wait_until(lambda: job.num_frames == 7)
    assert len(bench.runner.batches) == num_batches + 4
    bench.pool.cancel(job, TTSError("nobody listens"))
    wait_until(lambda: bench.pool.status().running == 0)
    text.finish()
    text.finish()
    with pytest.raises(ValueError, match="finished"):
        text.append("more")
