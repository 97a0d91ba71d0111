"""Sampling by a kernel: the codes of the plain path, whatever the parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen_tts_api.model.kernels.sampling import sample_code, sample_code_0
from qwen_tts_api.model.sampling import (
    MIN_NEW_TOKENS,
    CounterRng,
    LogitsBias,
    SamplingTensors,
    TopKTopP,
    sample,
    seed_key,
)
from tests.model.generation import sampling_of

CPU = torch.device("cpu")
GROUPS, VOCABULARY, EOS = 4, 1100, 80
SETTINGS = [
    (0.0, 0, 1.0),
    (0.9, 50, 1.0),
    (1.3, 5, 0.8),
    (0.7, 0, 0.9),
    (1.0, 9, 1e-9),
    (1.0, 5000, 1.0),
]
EVERYTHING = TopKTopP(max_top_k=None, top_p=True)


@dataclass
class Slots:
    """What sampling reads of `FrameState`."""

    keys: Tensor
    frames: Tensor
    codes: Tensor
    seen: Tensor
    penalty: Tensor
    min_codes: Tensor
    sampling: SamplingTensors
    subtalker_sampling: SamplingTensors


def slots_of(settings: list[tuple[float, int, float]]) -> Slots:
    """Return slots with these temperatures, top_k and top_p, at frames 0, 1 and so on."""
    num_slots = len(settings)
    params = sampling_of(settings, VOCABULARY)
    generator = torch.Generator().manual_seed(2)
    return Slots(
        keys=torch.tensor([seed_key(seed) for seed in range(num_slots)]),
        frames=torch.arange(num_slots),
        codes=torch.zeros(num_slots, GROUPS, dtype=torch.int64),
        seen=torch.rand(num_slots, VOCABULARY, generator=generator) < 0.3,
        penalty=torch.full((num_slots, 1), 1.3),
        min_codes=torch.tensor([MIN_NEW_TOKENS] * (num_slots - 1) + [2**31]),
        sampling=params,
        subtalker_sampling=params,
    )


def logits_of(num_slots: int, seed: int, step: float) -> Tensor:
    """Return logits in multiples of `step`: many are equal if it is large."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(num_slots, VOCABULARY, generator=generator) * 3 / step).round() * step


def sampled(logits: Tensor, slots: Slots, group: int) -> tuple[Tensor, Tensor]:
    """Return the codes that the kernel samples, and the embeddings that it takes of them."""
    table = torch.arange(2.0 * VOCABULARY).view(-1, 2)
    x = torch.zeros(len(logits), 2)
    sample_code(logits, slots, slots.codes, group, len(logits), table, x)  # type: ignore[arg-type]
    return slots.codes[:, group], x


@pytest.mark.parametrize("step", [1e-6, 0.5])
def test_a_code_of_a_group(step: float) -> None:
    """Also where many logits are equal, and the numbers are those of the group and the frame."""
    slots = slots_of(SETTINGS)
    uniforms = CounterRng.build(1, GROUPS, GROUPS, CPU).uniforms(slots.keys, slots.frames)
    params = slots.sampling.at(slice(None), EVERYTHING)
    for group in (1, 3):
        logits = logits_of(len(SETTINGS), group, step)
        uniform = uniforms[:, group - 1 : group] * params.uniform_scale
        codes, embeddings = sampled(logits, slots, group)
        assert codes.tolist() == sample(logits, params, uniform, EVERYTHING).tolist()
        assert embeddings.tolist() == [[2.0 * code, 2.0 * code + 1] for code in codes.tolist()]


def test_code_0() -> None:
    """With the repetition penalty, what is suppressed, and each slot's first end of speech."""
    slots = slots_of(SETTINGS)
    bias = LogitsBias.build(VOCABULARY, EOS, CPU)
    uniforms = CounterRng.build(1, GROUPS, GROUPS, CPU).uniforms(slots.keys, slots.frames)
    params = slots.sampling.at(slice(None), EVERYTHING)
    logits = logits_of(len(SETTINGS), 7, 1e-6)
    logits[:, EOS] = 30
    code_0 = torch.zeros(len(SETTINGS), dtype=torch.int64)
    sample_code_0(logits, slots, bias, code_0, len(SETTINGS), slots.frames)  # type: ignore[arg-type]
    frames = slots.frames + 1
    scores = bias.apply(logits, slots.seen, slots.penalty, frames, slots.min_codes)
    uniform = uniforms[:, -1:] * params.uniform_scale
    assert code_0.tolist() == sample(scores, params, uniform, EVERYTHING).tolist()
    assert code_0[0] < VOCABULARY - 1024
    assert code_0[1:-1].tolist() == [EOS] * (len(SETTINGS) - 2)
    assert code_0[-1] != EOS


def test_every_number_in_turn_gives_the_plain_code() -> None:
    """Of a few codes with known probabilities: 50 frames, in which each comes up."""
    slots = slots_of([(1.0, 0, 1.0)] * 50)
    logits = torch.full((50, VOCABULARY), -math.inf)
    logits[:, [3, 70, 500]] = torch.tensor([0.5, 0.2, 0.3]).log()
    uniforms = CounterRng.build(1, GROUPS, GROUPS, CPU).uniforms(slots.keys, slots.frames)
    params = slots.sampling.at(slice(None), EVERYTHING)
    codes, _ = sampled(logits, slots, 2)
    assert codes.tolist() == sample(logits, params, uniforms[:, 1:2], EVERYTHING).tolist()
    assert set(codes.tolist()) == {3, 70, 500}


def test_a_code_is_in_range_where_logits_are_nan() -> None:
    slots = slots_of([(0.9, 50, 0.9), (0.0, 0, 1.0)])
    with np.errstate(invalid="ignore"):
        codes, _ = sampled(torch.full((2, VOCABULARY), math.nan), slots, 1)
    assert all(0 <= code < VOCABULARY for code in codes.tolist())
