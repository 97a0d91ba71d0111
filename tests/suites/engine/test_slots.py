"""The real runner's slots: at once as on a CPU, a call late as on a GPU, eager and captured."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner import chunks, frames
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.runner.prefill import plain
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import SynthesisFailed, TTSError
from qwen_tts_api.model import talker_cache
from qwen_tts_api.model.layers import attend_cached
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import SamplingParams
from tests.conftest import assert_same, read
from tests.engine.runner.fake_graphs import LateCopy, fake_graphs, graph_runner
from tests.engine.runner.test_model_runner import GREEDY, explain, load, prompt, say

SLOTS = 4
MAX_POSITIONS = 48
LONG = "A word, and another, and more."
ROOM = 14  # positions that LONG leaves for frames; it takes 27 to say it
UNENDING = prompt(LONG, GREEDY, max_new_tokens=ROOM + 1)
"""Comes to its last position before its end of speech."""

PROMPTS = [
    UNENDING,
    prompt(LONG, SamplingParams(seed=1), max_new_tokens=ROOM + 1, streaming=True),
    prompt(LONG, GREEDY, max_new_tokens=ROOM),
    prompt("Hm.", GREEDY, max_new_tokens=20, streaming=True),
    prompt("A word.", SamplingParams(seed=2, top_k=0, top_p=0.9), max_new_tokens=20),
    prompt("Hm.", SamplingParams(seed=3), max_new_tokens=3),
    prompt("Hm.", SamplingParams(seed=4), max_new_tokens=2),
]


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    """Return a loaded CustomVoice model."""
    return load(locate("nano", nano_cache))


def runner_of(model: LoadedModel, max_positions: int, *, enforce_eager: bool) -> ModelRunner:
    plan = plan_memory(model, SLOTS, max_positions)
    return ModelRunner(model, plan, enforce_eager=enforce_eager)


@pytest.fixture(scope="module")
def expected(model: LoadedModel) -> list[npt.NDArray[np.int16]]:
    """Return each prompt's audio, alone and with positions to spare."""
    scheduler = Scheduler(runner_of(model, 256, enforce_eager=True), explain)
    return [say(scheduler, each)[0] for each in PROMPTS]


@pytest.fixture(scope="module")
def runners(model: LoadedModel) -> dict[str, ModelRunner]:
    """Return runners of few positions: as on a CPU, and as on a GPU with and without graphs."""
    plan = plan_memory(model, SLOTS, MAX_POSITIONS)
    eager, captured = (graph_runner(model, plan, enforce_eager=each) for each in (True, False))
    on_cpu = runner_of(model, MAX_POSITIONS, enforce_eager=False)
    return {"on a CPU": on_cpu, "eager": eager, "captured": captured}


@pytest.fixture(params=["on a CPU", "eager", "captured"])
def runner(
    request: pytest.FixtureRequest,
    runners: dict[str, ModelRunner],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ModelRunner]:
    """Return one of them, which captures whatever it needs when it first does."""
    runner = runners[request.param]
    if runner.lag:
        fake_graphs(monkeypatch)
    yield runner
    assert not runner._state.speech.running.any()
    assert bool(len(runner._frames)) == (request.param == "captured")


def assert_within_caches(runner: Runner) -> None:
    """Every slot, running or not, is at a position of its own, and finite."""
    assert isinstance(runner, ModelRunner)
    speech = runner._state.speech
    assert all(0 <= position < runner.max_positions for position in speech.positions.tolist())
    assert speech.past_hidden.isfinite().all()
    assert speech.talker_cache.key_value.isfinite().all()


def finish(scheduler: Scheduler) -> None:
    """Step until nothing is left."""
    while not scheduler.is_idle:
        scheduler.step()
        assert_within_caches(scheduler.runner)


@pytest.mark.slow
def test_a_slot_at_its_last_position_harms_nobody(
    runner: ModelRunner, expected: list[npt.NDArray[np.int16]]
) -> None:
    """Neither those beside it, nor those that come while nobody has taken it anew."""
    scheduler = Scheduler(runner, explain)
    jobs = [Job(UNENDING), Job(PROMPTS[3]), Job(UNENDING)]
    for job in jobs:
        scheduler.add(job)
        scheduler.step()
    finish(scheduler)  # the third goes on when the first is over, and covers its slot
    last = runner.max_positions - 1
    assert runner._state.speech.positions[[0, 2]].tolist() == [last, last]
    for job, index in zip(jobs, (0, 3, 0), strict=True):
        assert_same(read(job), expected[index])
    assert [job.finish_reason for job in jobs] == ["length", "stop", "length"]
    after = [Job(PROMPTS[index]) for index in (3, 4)]
    for job in after:
        scheduler.add(job)
    finish(scheduler)
    assert_same(read(after[0]), expected[3])
    assert_same(read(after[1]), expected[4])


def test_what_an_utterance_overflowed_is_not_heard_in_the_next(
    runner: ModelRunner, expected: list[npt.NDArray[np.int16]]
) -> None:
    """Whatever is masked is read all the same, and 0 times NaN is NaN."""
    scheduler = Scheduler(runner, explain)
    scheduler.add(Job(UNENDING))
    for _ in range(3):
        scheduler.step()
    with torch.inference_mode():
        runner._state.speech.text[0].fill_(torch.nan)
        runner._state.codec.past[0].fill_(torch.nan)
    scheduler.step()
    assert runner._state.speech.talker_cache.key_value[:, 1].isnan().any()
    while not scheduler.is_idle:
        scheduler.step()
    assert runner._state.codec.key_value[0].isnan().any()
    assert_same(say(scheduler, PROMPTS[3])[0], expected[3])
    finish(scheduler)


def test_slots_have_the_positions_that_flash_attention_reads(
    model: LoadedModel, expected: list[npt.NDArray[np.int16]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads as many of an idle slot as that one had, in a batch of shorter ones too."""

    def stand_in(
        q: Tensor, k: Tensor, v: Tensor, *, cache_seqlens: Tensor, block_table: Tensor
    ) -> Tensor:
        assert k.shape[1] % 256 == 0
        k, v = (each[block_table].flatten(1, 2) for each in (k, v))
        assert int(cache_seqlens.max()) <= k.shape[1]
        beyond = torch.arange(k.shape[1]) >= cache_seqlens.unsqueeze(-1)
        mask = torch.zeros(beyond.shape).masked_fill_(beyond, -torch.inf)
        return attend_cached(q[:, 0], torch.cat((k, v), 2), mask[:, None, None]).view(q.shape)

    monkeypatch.setattr(talker_cache, "flash_attention", lambda device, dtype: stand_in)
    flash = replace(model, placement=replace(model.placement, attention="flash_attention_2"))
    plan = plan_memory(flash, SLOTS, 128)
    runner = ModelRunner(flash, plan, enforce_eager=True)
    scheduler = Scheduler(runner, explain)
    long, short = Job(prompt("bla " * 14, GREEDY, max_new_tokens=41)), Job(PROMPTS[3])
    scheduler.add(long)
    for _ in range(38):
        scheduler.step()
    scheduler.add(short)
    finish(scheduler)  # the long one's slot is idle before, further on than a step of 64
    assert len(read(long)) == 40 * 1920
    assert int(runner._state.speech.positions[0]) > 64
    assert_same(read(short), expected[3])


def test_frames_do_not_wait_for_the_host(runner: ModelRunner) -> None:
    """With a lag, results are read when the next are under way; but for the very last."""
    scheduler = Scheduler(runner, explain)
    scheduler.add(Job(PROMPTS[1]))
    before = LateCopy.waits
    finish(scheduler)
    assert LateCopy.waits - before == 2 * runner.lag  # the last code, and the last samples


@pytest.mark.parametrize("end", ["stop", "cancelled"])
def test_a_surplus_frame_is_heard_by_nobody(
    runner: ModelRunner, expected: list[npt.NDArray[np.int16]], end: str
) -> None:
    """The frame after an end that the host learns of late, with the slot already taken anew."""
    scheduler = Scheduler(runner, explain)
    first, beside = Job(PROMPTS[3]), Job(UNENDING)
    scheduler.add(first)
    scheduler.add(beside)
    if end == "cancelled":
        for _ in range(4):
            scheduler.step()
        first.cancel(TTSError("nobody listens"))
    while not first.times.ended_at or scheduler.num_free == SLOTS - 2:
        scheduler.step()
    after = Job(PROMPTS[4])
    scheduler.add(after)
    finish(scheduler)
    if end == "stop":
        assert_same(read(first), expected[3])
    assert_same(read(beside), expected[0])
    assert_same(read(after), expected[4])


class Failures:
    """Errors of what a runner does, or within it, when it is done; raised once, where they are due.

    Attributes:
        places: Where they can be due.
        due: Where the next one is; empty: nowhere.
    """

    def __init__(self, runner: ModelRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places: list[str] = []
        self.due = ""
        for owner, names in (
            (plain, ("prefill_slots",)),
            (frames, ("advance",)),
            (chunks, ("decode_pcm",)),
            (runner, ("prefill", "advance", "decode")),
        ):
            for name in names:
                self.places.append(f"{owner} {name}")
                failing = self._failing(self.places[-1], getattr(owner, name))
                monkeypatch.setattr(owner, name, failing)

    def _failing(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            if self.due == place:
                self.due = ""
                raise SynthesisFailed(place)
            return result

        return call


def explain_or_raise(error: Exception) -> TTSError:
    """Let nothing pass but what `Failures` raises."""
    return error if isinstance(error, TTSError) else explain(error)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow
def test_whatever_happens_slots_are_as_alone(
    runner: ModelRunner,
    expected: list[npt.NDArray[np.int16]],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    """Random arrivals, cancellations and failures, in slots that come to their last position."""
    random_ = random.Random(seed)
    failures = Failures(runner, monkeypatch)
    scheduler = Scheduler(runner, explain_or_raise)
    jobs: list[tuple[Job, int]] = []
    for _ in range(60):
        if scheduler.num_free and random_.random() < 0.35:
            index = random_.randrange(len(PROMPTS))
            jobs.append((Job(PROMPTS[index]), index))
            scheduler.add(jobs[-1][0])
        if jobs and random_.random() < 0.06:
            random_.choice(jobs)[0].cancel(TTSError("nobody listens"))
        if random_.random() < 0.06:
            failures.due = random_.choice(failures.places)
        try:
            scheduler.step()
        except SynthesisFailed as error:
            scheduler.fail_all(error)
        assert_within_caches(runner)
    failures.due = ""
    finish(scheduler)
    assert scheduler.num_free == SLOTS
    heard = Counter[int]()
    for job, index in jobs:
        try:
            samples = read(job)
        except TTSError:
            continue
        heard[index] += 1
        assert_same(samples, expected[index])
    assert len(heard) >= 4
