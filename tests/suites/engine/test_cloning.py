"""Cloned voices under the scheduler: upstream's speech, and nothing of the recording in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.loading import ModelLoader
from qwen_tts_api.engine.memory.planning import MAX_VOICES, plan_memory
from qwen_tts_api.engine.pool import ModelPool, ProcessHooks
from qwen_tts_api.engine.roster import PoolSettings
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, Reference, SamplingParams
from qwen_tts_api.model.weights.placement import place
from tests.conftest import assert_same, read, wait_until
from tests.engine.runner.test_model_runner import GREEDY, explain, say

TEXT = "I can say this, too."
FRAMES = 40  # of the new speech at most: beyond 300 with the recording upstream's audio has joins


def recording(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return a tone that wavers, with noise in it."""
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.05, len(time))
    tone = np.sin(2 * np.pi * (180 + 20 * seed) * time) * np.sin(2 * np.pi * 3 * time) / 2
    samples: npt.NDArray[np.float32] = (tone + noise).astype(np.float32)
    return samples


SPOKEN = Reference(recording(2.03), "What I said then.")
EMBEDDED = Reference(recording(3.0, seed=1), x_vector_only=True)


def prompt(reference: Reference, sampling: SamplingParams = GREEDY) -> Prompt:
    return Prompt(TEXT, "english", None, "", sampling, FRAMES + 1, reference=reference)


@pytest.fixture(scope="module")
def base(nano_cache: Path) -> LoadedModel:
    """Return a loaded Base model."""
    folder = locate("nano-base", nano_cache)
    return LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))


@pytest.fixture(scope="module")
def upstream(nano_cache: Path) -> Any:
    """Return the same checkpoint as upstream's `Qwen3TTSModel`."""
    folder = locate("nano-base", nano_cache)
    return load_upstream(folder, place("cpu", "float32", "sdpa"))


def runner_of(model: LoadedModel) -> ModelRunner:
    plan = plan_memory(model, 3, 512)
    return ModelRunner(model, plan, enforce_eager=False)


@pytest.fixture(scope="module")
def scheduler(base: LoadedModel) -> Scheduler:
    """Return a scheduler over it; a test leaves no job behind."""
    return Scheduler(runner_of(base), explain)


@pytest.mark.parametrize("non_streaming_mode", [True, False])
@pytest.mark.parametrize("reference", [SPOKEN, EMBEDDED], ids=["continued", "x-vector"])
def test_greedy_speech_is_upstream_s(
    upstream: Any, scheduler: Scheduler, reference: Reference, non_streaming_mode: bool
) -> None:
    """The samples of `generate_voice_clone`, which may cut a sample too early, by rounding."""
    [samples] = say(scheduler, replace(prompt(reference), text_in_frames=not non_streaming_mode))
    [expected], rate_hz = upstream.generate_voice_clone(
        TEXT,
        language="english",
        ref_audio=(reference.samples, SAMPLE_RATE_HZ),
        ref_text=reference.text,
        x_vector_only_mode=reference.x_vector_only,
        non_streaming_mode=non_streaming_mode,
        do_sample=False,
        subtalker_dosample=False,
        max_new_tokens=FRAMES + 1,
    )
    assert rate_hz == SAMPLE_RATE_HZ
    assert len(samples) % 1920 == 0
    assert len(expected) - len(samples) in (0, 1)
    assert_same(samples, np.rint(expected * 32767).astype(np.int16)[-len(samples) :])


def test_a_cloned_voice_sounds_the_same_in_any_company(scheduler: Scheduler) -> None:
    """Beside other voices, joining late, in another slot, from the cache; streamed or whole."""
    wanted = prompt(SPOKEN, SamplingParams(seed=5))
    [alone] = say(scheduler, wanted)
    company = say(scheduler, prompt(EMBEDDED), wanted, replace(wanted, streaming=True))
    assert_same(company[1], alone)
    assert_same(company[2], alone)
    [again] = say(scheduler, prompt(EMBEDDED))
    assert_same(company[0], again)  # in the slot that was another's stream before


def test_a_recording_is_encoded_once(base: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its content, text and mode; the voice that was not used for longest is forgotten."""
    encoded: list[Reference] = []
    clone = LoadedModel.clone

    def counting(self: LoadedModel, reference: Reference) -> object:
        encoded.append(reference)
        return clone(self, reference)

    monkeypatch.setattr(LoadedModel, "clone", counting)
    runner = runner_of(base)
    one = recording(1.0)
    runner.prepare(prompt(Reference(one, "Hm.")))
    assert runner.has_cached_voice(prompt(Reference(one.copy(), "Hm.")))
    runner.prepare(prompt(Reference(one.copy(), "Hm.")))
    assert len(encoded) == 1
    others = [Reference(one, "Hm?"), Reference(one, "Hm.", True), Reference(-one, "Hm.")]
    assert not any(runner.has_cached_voice(prompt(other)) for other in others)
    for amount in range(MAX_VOICES):
        quieter = one * np.float32(0.01 * (amount + 1))
        runner.prepare(prompt(Reference(quieter, x_vector_only=True)))
    assert not runner.has_cached_voice(prompt(Reference(one, "Hm.")))


def test_what_is_kept_is_counted(base: LoadedModel) -> None:
    """A voice's stream of the codec, and the text embeddings that wait for their frame."""
    plan = plan_memory(base, 3, 512)
    runner = runner_of(base)
    stream = base.clone(SPOKEN).stream
    assert stream is not None
    held = stream.past.numel() + stream.key_value.numel()
    assert plan.voices_bytes == MAX_VOICES * held * 4
    state, codec = runner._state.speech, runner._state.codec
    tensors = [state.talker_cache.key_value, state.text[:, 1:], codec.past[:3], codec.key_value[:3]]
    held = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert plan.costs.of(plan.size) == held


def test_a_pool_serves_base_models(base: LoadedModel, tmp_path: Path) -> None:
    """From a recording to audio, through queue and thread."""

    def load(
        model_id: str, report: Callable[[str], None], await_place: Callable[[], None]
    ) -> ModelRunner:
        await_place()
        return runner_of(base)

    pool = ModelPool(
        {"clone": "nano-base"},
        ModelLoader(load, lambda model_id: base.card),
        PoolSettings(max_loaded=1, max_queue=4, hang_timeout_s=120),
        ProcessHooks(on_startup_failure=lambda error: None, on_fatal=lambda: None),
    )
    pool.start()
    wait_until(lambda: pool.status().ready)
    job = pool.submit("clone", prompt(SPOKEN))
    assert len(read(job)) > 0
    assert pool.close(10)
