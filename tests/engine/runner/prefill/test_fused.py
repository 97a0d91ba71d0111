"""Prompts in runs of tokens: the same bits alone and among others, by a known beginning or not.

What computes is a stand-in that runs on a CPU, whose own bits depend on nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner import buckets
from qwen_tts_api.engine.runner.graphs import prepare
from qwen_tts_api.engine.runner.kernels.paths import Kernels
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.runner.prefill import fused
from qwen_tts_api.engine.runner.prefill.fused import FusedPrefills
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, Reference, SamplingParams
from qwen_tts_api.model.weights.placement import place
from tests.engine.runner import fake_graphs
from tests.engine.runner.stand_ins import Prefill

SLOTS = 4
BUCKETS = (8, 12, 32)
CALM = "Calmly."
PREFIX = 9
"""Positions of role, language and speaker."""


@pytest.fixture(autouse=True)
def _small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "TOKEN_BUCKETS", BUCKETS)
    monkeypatch.setattr(fused, "WORTH_A_RUN", PREFIX)


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    """Return a loaded CustomVoice model."""
    folder = locate("nano", nano_cache)
    return LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))


def runner_of(model: LoadedModel, num_prefix_positions: int = 100) -> ModelRunner:
    """Return a runner whose store has so many positions."""
    plan = plan_memory(model, SLOTS, 128, keeps_prefixes=True)
    position_bytes = plan.costs.page_bytes // plan.size.page_positions
    plan = replace(plan, prefix_bytes=num_prefix_positions * position_bytes)
    return ModelRunner(model, plan, enforce_eager=True, kernels=Kernels(prefill=Prefill))


def prefills_of(runner: ModelRunner) -> FusedPrefills:
    assert isinstance(runner._prefills, FusedPrefills)
    return runner._prefills


def kernels_of(runner: ModelRunner) -> Prefill:
    kernels = prefills_of(runner)._kernels
    assert isinstance(kernels, Prefill)
    return kernels


def prompt(text: str, instruct: str = "", speaker: str = "ryan") -> Prompt:
    return Prompt(text, "english", speaker, instruct, SamplingParams(seed=len(text)))


def prefill(runner: ModelRunner, prompts: Sequence[Prompt], slots: Sequence[int]) -> list[Tensor]:
    """Prefill prompts in slots; return the state that each begins with, and its keys and values."""
    prepared = [runner.prepare(each) for each in prompts]
    try:
        for slot in slots:
            runner.grow(slot, 2)
        runner.prefill(slots, prepared).read()
        return [
            _result(runner, slot, each.num_positions)
            for slot, each in zip(slots, prepared, strict=True)
        ]
    finally:
        for slot in slots:
            runner.stop(slot)


def _result(runner: ModelRunner, slot: int, length: int) -> Tensor:
    state, positions = runner._state.speech, torch.arange(length).unsqueeze(0)
    cache = state.talker_cache
    index = cache.indices(cache.page_table[[slot]], positions)[0]
    rows = (state.code_0, state.positions, state.frames, state.running, state.past_hidden)
    written = cache.key_value.flatten(1, 2)[:, index]
    return torch.cat([*(each[slot].flatten().float() for each in rows), written.flatten()])


PROMPTS = [
    prompt("A word."),
    prompt("Another word, and more of them.", CALM),
    prompt("No.", CALM, "vivian"),
    prompt("Short.", CALM),
    prompt("A word.", "With a long instruction, so that not everything can be kept."),
    prompt("Yes?"),
]


@pytest.fixture(scope="module")
def alone(model: LoadedModel) -> list[Tensor]:
    """Return what each prompt gives in a runner of its own, in one run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(buckets, "TOKEN_BUCKETS", (128,))
        return [prefill(runner_of(model), [each], [0])[0] for each in PROMPTS]


def test_it_is_the_plain_prefill(model: LoadedModel, alone: list[Tensor]) -> None:
    plan = plan_memory(model, SLOTS, 128)
    plain = ModelRunner(model, plan, enforce_eager=True)
    for each, expected in zip(PROMPTS, alone, strict=True):
        torch.testing.assert_close(prefill(plain, [each], [0])[0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "num_prefix_positions", [30, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 100))]
)
def test_nothing_else_changes_a_bit(
    model: LoadedModel, alone: list[Tensor], num_prefix_positions: int
) -> None:
    """Not company, slots, runs, what is known, what had to go, nor what failed before."""
    random_ = random.Random(num_prefix_positions)
    runner = runner_of(model, num_prefix_positions)
    kernels = kernels_of(runner)
    with pytest.MonkeyPatch.context() as patched:
        for step in range(10):
            chosen = [random_.randrange(len(PROMPTS)) for _ in range(random_.randint(1, SLOTS))]
            slots = random_.sample(range(SLOTS), len(chosen))
            due = random_.choice(["run", "keep_prefixes", "take_prefixes"])
            if step % 3 == 2:
                patched.setattr(kernels, due, _fail)
            try:
                results = prefill(runner, [PROMPTS[n] for n in chosen], slots)
            except MemoryError:
                continue
            finally:
                patched.undo()
            for index, result in zip(chosen, results, strict=True):
                assert torch.equal(result, alone[index])
    uses = runner.prefix_uses
    assert (uses.hits > 0) == (kernels.num_taken > 0) == (num_prefix_positions > 0)
    assert uses.misses > 0


def _fail(*_: object) -> None:
    raise MemoryError


def test_only_the_text_of_a_known_prefix_is_computed(model: LoadedModel) -> None:
    """One of those that share an unknown one goes ahead, if that saves enough."""
    runner = runner_of(model)
    kernels = kernels_of(runner)
    prompts = [prompt("So.", CALM), prompt("Or so.", CALM), prompt("Well."), prompt("So.", CALM)]
    prepared = [runner.prepare(each) for each in prompts]
    shared, short = prepared[0].num_shared, prepared[2].num_shared
    assert short == PREFIX
    lengths = [each.num_positions for each in prepared]
    expected = sum(lengths) - 2 * shared
    assert runner.num_prefill_positions(prepared) == expected
    prefill(runner, prompts, range(SLOTS))
    assert sum(kernels.num_tokens) == expected
    assert (runner.prefix_uses.hits, runner.prefix_uses.misses) == (2, 2)
    assert runner.num_prefill_positions(prepared) == expected - shared - short
    kernels.num_tokens.clear()
    prefill(runner, prompts, range(SLOTS))
    assert kernels.num_tokens == [sum(lengths) - 3 * shared - short]
    two = [prompt("Oh.", "", "aiden"), prompt("Ah.", "", "aiden")]
    kernels.num_tokens.clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fused, "WORTH_A_RUN", PREFIX + 1)
        prefill(runner, two, [0, 1])
    assert sum(kernels.num_tokens) == sum(runner.prepare(each).num_positions for each in two)


@pytest.mark.slow
def test_graphs_of_a_few_numbers_of_tokens_serve_all_prompts(
    model: LoadedModel, alone: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run has too many is padding; after the start none is captured."""
    fake_graphs.fake_graphs(monkeypatch)
    plan = plan_memory(model, SLOTS, 128, keeps_prefixes=True)
    runner = fake_graphs.graph_runner(model, plan, kernels=Kernels(prefill=Prefill))
    prefills = prefills_of(runner)
    with torch.inference_mode():
        prepare(prefills.graphs())
    assert len(prefills) == len(BUCKETS)
    for indices in ([0, 1, 2, 3], [4], [5, 1]):
        results = prefill(runner, [PROMPTS[n] for n in indices], range(len(indices)))
        for index, result in zip(indices, results, strict=True):
            assert torch.equal(result, alone[index])
    assert len(prefills) == len(BUCKETS)
    assert {*kernels_of(runner).num_tokens} <= {*BUCKETS}


def test_a_recording_that_is_forgotten_is_not_known(nano_cache: Path) -> None:
    """A clone's prompt begins with what is said in its recording, as far as no text is there."""
    folder = locate("nano-base", nano_cache)
    base = LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))
    runner = runner_of(base)
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    reference = Reference(noise, "What I said.")
    clones = [
        Prompt(text, "english", None, "", SamplingParams(seed=1), reference=reference)
        for text in ("One.", "And another.")
    ]
    first, second = (prefill(runner_of(base), [each], [0])[0] for each in clones)
    assert torch.equal(prefill(runner, clones[:1], [1])[0], first)
    assert torch.equal(prefill(runner, clones[1:], [1])[0], second)
    assert kernels_of(runner).num_taken == runner.prepare(clones[0]).num_shared > PREFIX
    runner.forget(reference)
    assert torch.equal(prefill(runner, clones[1:], [1])[0], second)
    assert (runner.prefix_uses.hits, runner.prefix_uses.misses) == (1, 2)
