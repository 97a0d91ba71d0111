"""Continuous batching: who computes what, in which order, and that everything comes back."""

from __future__ import annotations

import functools
import random
from typing import Any

import numpy as np
import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import SynthesisFailed, TextTooLong, TTSError
from qwen_tts_api.model.utterance import Prompt, Reference, SamplingParams
from tests.conftest import read
from tests.fakes import BASE, SAMPLES_PER_FRAME, FakeRunner


def explain(error: Exception) -> TTSError:
    return error if isinstance(error, TTSError) else SynthesisFailed(str(error))


def job(num_frames: int, *, streaming: bool = False, max_new_tokens: int | None = None) -> Job:
    """Return a job of so many frames."""
    return Job(
        Prompt("x" * num_frames, "auto", "ryan", "", SamplingParams(), max_new_tokens, streaming)
    )


def finish(scheduler: Scheduler) -> None:
    """Step until nothing is left."""
    while not scheduler.is_idle:
        scheduler.step()


@functools.cache
def sound(num_frames: int) -> list[int]:
    """Return what the fake says in so many frames."""
    tone: list[int] = FakeRunner()._tone(0, num_frames).tolist()
    return tone


@pytest.fixture(params=[0, 1], ids=["lag 0", "lag 1"])
def runner(request: pytest.FixtureRequest) -> FakeRunner:
    """Return a runner that answers at once, or a frame later as a GPU does."""
    return FakeRunner(max_slots=4, lag=request.param)


@pytest.fixture
def scheduler(runner: FakeRunner) -> Scheduler:
    return Scheduler(runner, explain)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("num_frames", [1, 2, 3, 23, 24, 25, 100])
def test_an_utterance_is_exactly_its_frames(
    scheduler: Scheduler, num_frames: int, streaming: bool
) -> None:
    """Neither a frame lost nor one too many, whatever the pieces."""
    one = job(num_frames, streaming=streaming)
    scheduler.add(one)
    finish(scheduler)
    assert read(one).tolist() == sound(num_frames)
    assert one.finish_reason == "stop"


def test_slots_join_and_leave_between_frames(runner: FakeRunner, scheduler: Scheduler) -> None:
    """A short utterance does not wait for a long one that began before it, nor after it."""
    long, short = job(50), job(3)
    scheduler.add(long)
    for _ in range(10):
        scheduler.step()
    scheduler.add(short)
    for _ in range(8):
        scheduler.step()
    assert short.wait(0)
    assert read(short).tolist() == sound(3)
    finish(scheduler)
    assert read(long).tolist() == sound(50)
    assert [0, 1] in runner.batches


def test_the_lowest_free_slot_is_taken(runner: FakeRunner, scheduler: Scheduler) -> None:
    """So that few slots beyond the running ones are computed."""
    jobs = [job(n) for n in (30, 2, 30)]
    for each in jobs:
        scheduler.add(each)
    for _ in range(8):
        scheduler.step()
    late = job(5)
    scheduler.add(late)
    scheduler.step()
    assert runner.batches[-1] == [0, 1, 2]
    finish(scheduler)
    assert scheduler.num_free == runner.max_slots


def test_the_frame_budget_ends_what_does_not_end(scheduler: Scheduler) -> None:
    """max_new_tokens is upstream's: one frame less; the reason says that it was cut."""
    cut, exact = job(50, max_new_tokens=11), job(10, max_new_tokens=11)
    scheduler.add(cut)
    scheduler.add(exact)
    finish(scheduler)
    assert read(cut).tolist() == sound(10)
    assert cut.finish_reason == "length"
    assert read(exact).tolist() == sound(10)
    assert exact.finish_reason == "stop"


def test_what_could_never_fit_is_refused(runner: FakeRunner, scheduler: Scheduler) -> None:
    """It fails alone, and takes no slot."""
    runner.max_positions = 300
    too_long, fits = job(200), job(100)
    scheduler.add(too_long)
    scheduler.add(fits)
    finish(scheduler)
    with pytest.raises(TextTooLong, match="QWEN_MAX_POSITIONS"):
        read(too_long)
    assert read(fits).tolist() == sound(100)
    assert scheduler.num_free == runner.max_slots


def test_every_position_may_be_used(scheduler: Scheduler, runner: FakeRunner) -> None:
    """And none beyond, whoever goes on beside a slot that has used all it has."""
    runner.max_positions = 300
    full, beside, after = job(160, max_new_tokens=141), job(50), job(105)
    for each in (full, beside, after):
        scheduler.add(each)
        for _ in range(45):
            scheduler.step()
    finish(scheduler)
    assert read(full).tolist() == sound(140)
    assert full.finish_reason == "length"
    assert read(beside).tolist() == sound(50)
    assert read(after).tolist() == sound(105)


def test_pieces_grow(runner: FakeRunner, scheduler: Scheduler) -> None:
    """The first frame is heard at once, later pieces are larger."""
    one = job(60, streaming=True)
    scheduler.add(one)
    finish(scheduler)
    sizes = [size for _, size in runner.chunks]
    assert sizes[:5] == [1, 2, 4, 8, 12]
    assert max(sizes) == 12


def test_the_first_piece_comes_with_the_first_frame(
    runner: FakeRunner, scheduler: Scheduler
) -> None:
    """One step on a CPU; one more where results are read a frame late, twice."""
    one = job(60, streaming=True)
    scheduler.add(one)
    for _ in range(1 + 2 * runner.lag):
        scheduler.step()
    assert one.wait(0)


def test_chunks_of_equal_size_are_decoded_together(
    runner: FakeRunner, scheduler: Scheduler
) -> None:
    """One call for all slots that are at the same place."""
    for _ in range(4):
        scheduler.add(job(24))
    finish(scheduler)
    assert ([0, 1, 2, 3], 24) in runner.chunks


def test_a_piece_keeps_no_other_s(scheduler: Scheduler) -> None:
    """A reader that is slow with one slot's samples does not hold those of the whole batch."""
    jobs = [job(24) for _ in range(4)]
    for each in jobs:
        scheduler.add(each)
    finish(scheduler)
    for each in jobs:
        piece = each.take()
        assert piece is not None
        assert piece.flags.owndata
        assert piece.nbytes == 24 * SAMPLES_PER_FRAME * 2


def test_cancelling_frees_the_slot_within_a_frame(runner: FakeRunner, scheduler: Scheduler) -> None:
    """Whether it runs or was just added; the others do not notice."""
    gone, stays, new = job(50), job(30), job(20)
    scheduler.add(gone)
    scheduler.add(stays)
    scheduler.step()
    gone.cancel(TTSError("nobody listens"))
    scheduler.add(new)
    new.cancel(TTSError("nobody listens"))
    scheduler.step()
    assert scheduler.num_free == runner.max_slots - 1
    assert not runner.slots[0].running
    finish(scheduler)
    assert read(stays).tolist() == sound(30)


def test_a_prefill_that_fails_fails_alone(runner: FakeRunner, scheduler: Scheduler) -> None:
    """Out of memory for one prompt is no reason to end what runs."""
    before, failing, after = job(30), job(10), job(10)
    scheduler.add(before)
    scheduler.step()
    runner.prefill_error = MemoryError("full")
    scheduler.add(failing)
    scheduler.step()
    scheduler.add(after)
    finish(scheduler)
    with pytest.raises(SynthesisFailed, match="full"):
        read(failing)
    assert read(before).tolist() == sound(30)
    assert read(after).tolist() == sound(10)
    assert scheduler.num_free == runner.max_slots


def test_prompts_that_fail_together_are_prefilled_one_by_one(
    runner: FakeRunner, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that fails by itself ends its own job; those beside it say what they would alone."""
    jobs = [job(10), job(13), job(12)]
    prefill, sizes = runner.prefill, []

    def failing(slots: Any, prepared: Any) -> Any:
        sizes.append(len(slots))
        if any(each.num_positions == 13 for each in prepared):
            raise MemoryError("full")
        return prefill(slots, prepared)

    monkeypatch.setattr(runner, "prefill", failing)
    for each in jobs:
        scheduler.add(each)
    finish(scheduler)
    assert sizes == [3, 1, 1, 1]
    with pytest.raises(SynthesisFailed, match="full"):
        read(jobs[1])
    assert read(jobs[0]).tolist() == sound(10)
    assert read(jobs[2]).tolist() == sound(12)
    assert (scheduler.num_free, runner.pages) == (runner.max_slots, {})


def test_after_a_frame_that_failed_all_slots_are_free(
    runner: FakeRunner, scheduler: Scheduler
) -> None:
    """Everyone in it is told; the next utterance is served."""
    jobs = [job(30) for _ in range(3)]
    for each in jobs:
        scheduler.add(each)
    scheduler.step()
    runner.error = RuntimeError("broken")
    with pytest.raises(RuntimeError):
        finish(scheduler)
    scheduler.fail_all(SynthesisFailed("broken"))
    assert scheduler.num_free == runner.max_slots
    for each in jobs:
        with pytest.raises(SynthesisFailed):
            read(each)
    again = job(5)
    scheduler.add(again)
    finish(scheduler)
    assert read(again).tolist() == sound(5)


def test_prefills_between_two_frames_are_bounded(runner: FakeRunner, scheduler: Scheduler) -> None:
    """Four prompts of 600 positions do not stall the slots that run for all four."""
    for _ in range(4):
        scheduler.add(job(600))
    scheduler.step()
    assert runner.batches == [[0]]
    scheduler.step()
    assert runner.batches[-1] == [0, 1]


def test_a_burst_is_one_prefill() -> None:
    """Where the runner takes so many positions; then all of it has its first frame."""
    runner = FakeRunner(max_slots=64, max_prefill_positions=4096)
    scheduler = Scheduler(runner, explain)
    for _ in range(64):
        scheduler.add(job(60))
    scheduler.step()
    assert runner.batches == [[*range(64)]]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_everything_comes_back(runner: FakeRunner, seed: int) -> None:
    """Random arrivals, lengths, cancellations and failures: no slot lost, no audio wrong."""
    random_ = random.Random(seed)
    scheduler = Scheduler(runner, explain)
    jobs: list[Job] = []
    for _ in range(300):
        if scheduler.num_free and random_.random() < 0.2:
            streaming = random_.random() < 0.5
            jobs.append(job(random_.randint(1, 60), streaming=streaming))
            scheduler.add(jobs[-1])
        if jobs and random_.random() < 0.05:
            random_.choice(jobs).cancel(TTSError("nobody listens"))
        if random_.random() < 0.02:
            runner.prefill_error = ValueError("prefill")
        scheduler.step()
    runner.prefill_error = None
    finish(scheduler)
    assert scheduler.num_free == runner.max_slots
    assert not any(slot.running for slot in runner.slots.values())
    finished = 0
    for each in jobs:
        try:
            samples = read(each)
        except TTSError:
            continue
        finished += 1
        assert samples.tolist() == sound(len(each.prompt.text))
        assert len(samples) == SAMPLES_PER_FRAME * len(each.prompt.text)
    assert finished > 5
    assert np.all([each.ended for each in jobs])


def test_an_utterance_has_pages_as_it_grows(runner: FakeRunner, scheduler: Scheduler) -> None:
    """One for its prompt and first frame, the next when a frame needs it; none at its end."""
    scheduler.add(one := job(100))
    scheduler.step()
    assert runner.pages == {0: 2}  # 100 positions of the prompt
    for _ in range(27):
        scheduler.step()
    assert runner.pages == {0: 2}
    scheduler.step()
    assert runner.pages == {0: 3}
    assert scheduler.pages.num_used == 3
    finish(scheduler)
    assert read(one).tolist() == sound(100)
    assert runner.pages == {}
    assert scheduler.pages.num_used == 0


def test_who_finds_no_page_waits_and_goes_on(runner: FakeRunner) -> None:
    """Amid its audio, the one that lacks more until the other is over: both are whole."""
    runner.page_positions, runner.num_pages, runner.tokens = 16, 14, 3
    scheduler = Scheduler(runner, explain)
    first, second = job(70, max_new_tokens=71), job(60, max_new_tokens=61)
    scheduler.add(first)
    scheduler.add(second)
    paused = 0
    while not scheduler.is_idle:
        scheduler.step()
        paused += runner.slots[0].paused and runner.slots[0].running
        assert not runner.slots[1].paused
    assert paused > 10
    assert read(first).tolist() == sound(70)
    assert read(second).tolist() == sound(60)


def test_who_would_probably_find_no_page_does_not_begin(runner: FakeRunner) -> None:
    """Nor is it refused: it waits for its turn, and nobody is added behind it."""
    runner.page_positions, runner.num_pages = 16, 9
    scheduler = Scheduler(runner, explain)
    first, second = job(70, max_new_tokens=71), job(60, max_new_tokens=61)
    scheduler.add(first)
    scheduler.step()
    assert (scheduler.num_free, scheduler.lacks_pages) == (3, False)
    scheduler.add(second)
    scheduler.step()
    assert (scheduler.num_free, scheduler.lacks_pages) == (0, True)  # it is expected to lack some
    finish(scheduler)
    assert scheduler.num_free == 4
    assert read(first).tolist() == sound(70)
    assert read(second).tolist() == sound(60)


def test_a_text_for_which_there_are_too_few_pages_is_refused(runner: FakeRunner) -> None:
    """At once, like one that is too long; others are not held up."""
    runner.page_positions, runner.num_pages = 16, 15
    scheduler = Scheduler(runner, explain)
    too_long, fits = job(60), job(40)
    scheduler.add(too_long)
    scheduler.add(fits)
    finish(scheduler)
    with pytest.raises(TextTooLong, match="60 of the 240 positions"):
        read(too_long)
    assert read(fits).tolist() == sound(40)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_every_page_comes_back(runner: FakeRunner, seed: int) -> None:
    """Random arrivals, budgets, cancellations, failures: nobody fails for want of a page."""
    random_ = random.Random(seed)
    runner.page_positions, runner.num_pages = 8, random_.randint(12, 40)
    runner.tokens = random_.choice((1, 10))
    scheduler = Scheduler(runner, explain)
    jobs: list[Job] = []
    for _ in range(250):
        if scheduler.num_free and random_.random() < 0.4:
            num_frames = random_.randint(1, 40)
            budget = random_.randint(num_frames + 1, 49)
            jobs.append(job(num_frames, max_new_tokens=budget))
            scheduler.add(jobs[-1])
        if jobs and random_.random() < 0.03:
            random_.choice(jobs).cancel(TTSError("nobody listens"))
        if random_.random() < 0.02:
            runner.prefill_error = ValueError("prefill")
        if random_.random() < 0.01:
            runner.error = ValueError("frame")
        try:
            scheduler.step()
        except ValueError:
            scheduler.fail_all(SynthesisFailed("frame"))
            assert scheduler.pages.num_used == 0
            assert runner.pages == {}
        assert scheduler.pages.num_used == sum(runner.pages.values()) <= runner.num_pages
    runner.prefill_error = runner.error = None
    finish(scheduler)
    assert (scheduler.pages.num_used, runner.pages) == (0, {})
    for each in jobs:
        assert each.failure in ("", TTSError.code, SynthesisFailed.code)
        if not each.failure:
            assert read(each).tolist() == sound(len(each.prompt.text))


@pytest.mark.parametrize("place", ["grow", "stop", "pause", "resume", "decode", "advance"])
def test_whatever_the_runner_raises_everything_comes_back(runner: FakeRunner, place: str) -> None:
    """Once, wherever it is called, before it has done anything: as where memory is lacking."""
    runner.page_positions, runner.num_pages, runner.tokens = 16, 14, 3
    method, due = getattr(runner, place), [0]

    def failing(*arguments: Any) -> Any:
        due[0] -= 1
        if due[0] == 0:
            raise ValueError(place)
        return method(*arguments)

    setattr(runner, place, failing)
    scheduler = Scheduler(runner, explain)
    for call in range(1, 8):
        due[0] = call
        jobs = [job(70, max_new_tokens=71), job(60, max_new_tokens=61), job(5)]
        for each in jobs:
            scheduler.add(each)
        for step in range(180):
            if step == 30:
                jobs[0].cancel(TTSError("nobody listens"))
            try:
                scheduler.step()
            except ValueError:
                scheduler.fail_all(SynthesisFailed(place))
        assert (scheduler.is_idle, scheduler.num_free) == (True, runner.max_slots)
        assert (scheduler.pages.num_used, runner.pages) == (0, {})
        assert not any(slot.running for slot in runner.slots.values())
        assert all(each.times.ended_at is not None for each in jobs)


def cloning_job(num_frames: int, voice: int) -> Job:
    """Return a job of so many frames in one of some voices."""
    reference = Reference(np.full(8, voice, np.float32), x_vector_only=True)
    prompt = Prompt("x" * num_frames, "auto", None, "", SamplingParams(), reference=reference)
    return Job(prompt)


def test_one_new_recording_is_encoded_between_two_frames(runner: FakeRunner) -> None:
    """It takes longer than a frame, and slots that run wait; voices that are known do not queue."""
    runner.card = BASE
    scheduler = Scheduler(runner, explain)
    jobs = [cloning_job(9, voice) for voice in (1, 1, 2, 2)]
    for each in jobs:
        scheduler.add(each)
    joined = []
    while not scheduler.is_idle:
        scheduler.step()
        joined.append(len(runner.batches[-1]))
    assert joined[:3] == [1, 3, 4]
    for each in jobs:
        assert read(each).tolist() == sound(9)


def test_a_job_that_waits_for_a_recording_can_be_cancelled(runner: FakeRunner) -> None:
    """It was never prepared, and takes no slot."""
    runner.card = BASE
    scheduler = Scheduler(runner, explain)
    jobs = [cloning_job(5, voice) for voice in (1, 2)]
    for each in jobs:
        scheduler.add(each)
    assert scheduler.num_free == runner.max_slots - 2
    scheduler.step()
    jobs[1].cancel(TTSError("nobody listens"))
    finish(scheduler)
    assert len(runner.prompts) == 1
    with pytest.raises(TTSError):
        read(jobs[1])
    scheduler.add(late := cloning_job(5, 3))
    scheduler.fail_all(SynthesisFailed("gone"))
    with pytest.raises(SynthesisFailed):
        read(late)
    assert scheduler.num_free == runner.max_slots


def test_text_that_trails_must_be_heard_within_the_frames(runner: FakeRunner) -> None:
    """Each token of it takes a frame, where a voice is cloned."""
    runner.card, runner.max_positions = BASE, 800
    scheduler = Scheduler(runner, explain)
    too_long, fits = cloning_job(500, 1), cloning_job(300, 1)
    scheduler.add(too_long)
    scheduler.add(fits)
    finish(scheduler)
    with pytest.raises(TextTooLong):
        read(too_long)
    assert read(fits).tolist() == sound(300)


def test_what_a_lost_device_raises_keeps_nobody_waiting(runner: FakeRunner) -> None:
    """Every job is failed before the first slot is given back, which may fail itself."""
    scheduler = Scheduler(runner, explain)
    jobs = [job(9) for _ in range(3)]
    for each in jobs:
        scheduler.add(each)
    scheduler.step()

    def stop(slot: int) -> None:
        raise RuntimeError("CUDA error")

    runner.stop = stop  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="CUDA error"):
        scheduler.fail_all(SynthesisFailed("gone"))
    for each in jobs:
        with pytest.raises(SynthesisFailed):
            read(each)
