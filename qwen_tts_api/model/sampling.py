"""Sample codes from logits, for a batch, without a decision on the host.

Every parameter is a tensor with one value a slot, so that requests with different parameters share
a batch and a CUDA graph. The logits processors and their order are those of transformers 4.57.3 as
upstream's `generate` sets them up: repetition penalty, no end of speech among the first two codes,
suppressed ids, temperature, top-k, top-p; the last three are skipped where a slot is greedy.

Random numbers come from a counter-based generator (`CounterRng`): seed, frame and codebook alone
determine a number, so that a request's audio depends neither on its slot nor on the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MIN_NEW_TOKENS = 2
"""Before these the end of speech is forbidden (upstream's `min_new_tokens`)."""

NUM_SPECIAL_IDS = 1024
"""The last ids of the talker's vocabulary, never sampled except for the end of speech."""

# SplitMix64 (Steele, Lea and Flood 2014; the constants of Vigna's version), as signed 64 bits.
GAMMA = 0x9E3779B97F4A7C15 - 2**64
MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
SHIFTS = (30, 27, 31)

UNIFORM_BITS = 24
# Below 1 by more than the rounding error of a cumulative sum of 3,072 probabilities: in whatever
# order it is added up, a random number is below the sum at the last code of nonzero probability.
UNIFORM_SCALE = 2.0**-UNIFORM_BITS * (1 - 2.0**-19)


@dataclass(frozen=True)
class TopKTopP:
    """How much of top-k and top-p a batch needs; static, so it is part of a graph's key.

    Sorting thousands of logits sixteen times a frame is expensive on a GPU.

    Attributes:
        max_top_k: At least every slot's top_k; only so many logits are ranked. None: all are.
        top_p: Whether any slot's top_p is below 1.
    """

    max_top_k: int | None
    top_p: bool


@dataclass(frozen=True)
class SamplingTensors:
    """The sampling parameters of all slots: views of what `FrameState.set_slots` writes.

    Attributes:
        temperature: `[R, 1]` float32; 1 where a slot is greedy.
        last_rank: `[R, 1]` int64: top_k - 1, the rank of the last code kept; 0 where greedy.
        tail: `[R, 1]` float32: 1 - top_p, the probability that top-p removes; 0 where greedy.
        uniform_scale: `[R, 1]` float32: what random numbers are multiplied by: 0 where a slot is
            greedy, else 1.
        vocabulary: The number of logits.
    """

    temperature: Tensor
    last_rank: Tensor
    tail: Tensor
    uniform_scale: Tensor
    vocabulary: int

    @classmethod
    def of(cls, last_rank: Tensor, floats: Tensor, vocabulary: int) -> SamplingTensors:
        """Return views of the numbers of `sampling_values`: int64 `[R]` and float32 `[3, R]`."""
        temperature, tail, uniform_scale = floats.unsqueeze(-1)
        return cls(temperature, last_rank.unsqueeze(-1), tail, uniform_scale, vocabulary)

    def at(self, slots: Tensor | slice, top_k_top_p: TopKTopP) -> SamplingTensors:
        """Return the parameters of some slots, with top_k limited to `top_k_top_p.max_top_k`.

        The limit matters only in idle slots, which still have the parameters of their last request.
        For a slice the other tensors are views, for int64 indices `[n]` copies.
        """
        last_rank = self.last_rank[slots]
        if top_k_top_p.max_top_k is not None:
            last_rank = last_rank.clamp(max=top_k_top_p.max_top_k - 1)
        return SamplingTensors(
            self.temperature[slots],
            last_rank,
            self.tail[slots],
            self.uniform_scale[slots],
            self.vocabulary,
        )


MIN_TEMPERATURE = 1e-30
"""Divided by less, the scores of float32 would have no finite value any more."""

GREEDY = 0, (1.0, 0.0, 0.0)
"""The numbers of `sampling_values` for a greedy slot."""


def sampling_values(
    vocabulary: int, temperature: float, top_k: int, top_p: float
) -> tuple[int, tuple[float, float, float]]:
    """Return a slot's `last_rank`, and its `temperature`, `tail` and `uniform_scale`.

    Args:
        vocabulary: The number of logits.
        temperature: 0 is greedy, whatever the others say; else MIN_TEMPERATURE at least.
        top_k: 0 is no limit.
        top_p: In (0, 1]; 1 is no limit.
    """
    if temperature == 0:
        return GREEDY
    limit = min(top_k or vocabulary, vocabulary)
    return limit - 1, (max(temperature, MIN_TEMPERATURE), 1 - top_p, 1.0)


@dataclass(frozen=True)
class LogitsBias:
    """The logits of code 0 that are suppressed.

    Attributes:
        bias: `[MIN_NEW_TOKENS + 1, V]` float32, 0 or -inf, by the number of codes 0 so far.
    """

    bias: Tensor

    @classmethod
    def build(cls, vocabulary: int, eos: int, device: torch.device) -> LogitsBias:
        """Suppress the last 1,024 ids except `eos`, and `eos` before MIN_NEW_TOKENS codes."""
        bias = torch.zeros(MIN_NEW_TOKENS + 1, vocabulary)
        bias[:, -NUM_SPECIAL_IDS:] = -math.inf
        bias[:, eos] = -math.inf
        bias[-1, eos] = 0
        return cls(bias.to(device))

    def apply(
        self,
        logits: Tensor,
        seen: Tensor,
        penalty: Tensor,
        num_codes: Tensor,
        min_codes: Tensor,
    ) -> Tensor:
        """Apply the repetition penalty, then the bias; return `[B, V]` float32.

        Args:
            logits: `[B, V]` float32.
            seen: `[B, V]` bool: the codes 0 that the utterance has so far.
            penalty: `[B, 1]` float32; 1 is none.
            num_codes: `[B]` int64: how many codes 0 the utterance has so far.
            min_codes: `[B]` int64: before how many the end of speech is forbidden, at least
                MIN_NEW_TOKENS.

        Source: transformers' `RepetitionPenaltyLogitsProcessor`,
        `MinNewTokensLengthLogitsProcessor` and `SuppressTokensLogitsProcessor`, in this order.
        """
        penalised = torch.where(logits < 0, logits * penalty, logits / penalty)
        row = (num_codes - min_codes + MIN_NEW_TOKENS).clamp(0, MIN_NEW_TOKENS)
        bias = self.bias.index_select(0, row)
        return torch.where(seen, penalised, logits) + bias


def apply_top_k_top_p(
    scores: Tensor, params: SamplingTensors, top_k_top_p: TopKTopP
) -> tuple[Tensor, Tensor]:
    """Apply temperature, top-k and top-p to `scores`, `[B, V]` float32.

    Of equal logits at the top-k threshold all that are ranked are kept, as transformers does.

    Returns:
        The scores in descending order, -inf where a code is excluded, and their codes: `[B, K]`
        float32 and int64, K being `top_k_top_p.max_top_k` or V.

    Source: transformers' `TemperatureLogitsWarper`, `TopKLogitsWarper`, `TopPLogitsWarper`.
    """
    if top_k_top_p.max_top_k is None:
        ranked, codes = scores.sort(dim=-1, descending=True, stable=True)
    else:
        ranked, codes = scores.topk(top_k_top_p.max_top_k, -1)
    ranked = ranked / params.temperature
    ranked = ranked.masked_fill(ranked < ranked.gather(-1, params.last_rank), -math.inf)
    if top_k_top_p.top_p:
        # A code is excluded if it and all less likely ones have at most 1 - top_p together. They
        # are summed from the least likely up, as in transformers: rounding decides close cases.
        # The most likely code is always kept.
        rest = ranked.softmax(-1).flip(-1).cumsum(-1).flip(-1)
        rest[:, 0] = math.inf
        ranked = ranked.masked_fill(rest <= params.tail, -math.inf)
    return ranked, codes


def sample(
    scores: Tensor, params: SamplingTensors, uniform: Tensor, top_k_top_p: TopKTopP
) -> Tensor:
    """Sample one code a slot by inverse transform sampling.

    That is the first code, by rank, at which the cumulative probability exceeds `uniform`.

    Args:
        scores: `[B, V]` float32.
        params: Parameters of these slots, from `SamplingTensors.at`.
        uniform: `[B, 1]` float32 from `CounterRng.uniforms`, times `params.uniform_scale`: of equal
            logits a greedy slot takes the same one whatever its seed.
        top_k_top_p: The one that `params` was made with.

    Returns:
        `[B]` int64, in range even where scores are NaN. Does not synchronise with the device.
    """
    ranked, codes = apply_top_k_top_p(scores, params, top_k_top_p)
    running = ranked.softmax(-1).cumsum(-1)
    rank = torch.searchsorted(running, uniform * running.narrow(-1, -1, 1), right=True)
    return codes.gather(-1, rank.clamp_(max=codes.shape[-1] - 1)).squeeze(-1)


def seed_key(seed: int) -> int:
    """Return the key of a request's random numbers, a signed 64-bit integer: a hash of its seed.

    Seeds that are a multiple of the generator's step apart would otherwise share their numbers.
    """
    mixed = (seed + GAMMA) % 2**64
    for shift, multiplier in zip(SHIFTS, (*MULTIPLIERS, 1), strict=True):
        mixed = (mixed ^ (mixed >> shift)) * multiplier % 2**64
    return _signed(mixed)


@dataclass(frozen=True)
class CounterRng:
    """A counter-based generator of uniform random numbers, stateless: SplitMix64.

    Number `frame * num_code_groups + g` of a key is used for code g of that frame. One call returns
    the numbers `first` to `first + num_uniforms - 1` of a frame: those of codes 1 to 15 and that of
    the next frame's code 0 are consecutive.
    """

    steps: Tensor
    num_code_groups: int

    @classmethod
    def build(
        cls, first: int, num_uniforms: int, num_code_groups: int, device: torch.device
    ) -> CounterRng:
        """Precompute the counter's increments, `[num_uniforms]` int64."""
        steps = torch.arange(first + 1, first + 1 + num_uniforms, device=device) * GAMMA
        return cls(steps, num_code_groups)

    def uniforms(self, key: Tensor, frame: Tensor) -> Tensor:
        """Return numbers in [0, 1), `[B, num_uniforms]` float32.

        They are SplitMix64's with `key` as its state; integer multiplication wraps around.

        Args:
            key: `[B]` int64, from `seed_key`.
            frame: `[B]` int64.
        """
        start = key + frame * _signed(self.num_code_groups * GAMMA)
        mixed = start.unsqueeze(-1) + self.steps
        for shift, multiplier in zip(SHIFTS[:2], MULTIPLIERS, strict=True):
            mixed = (mixed ^ _shift_right(mixed, shift)) * multiplier
        mixed ^= _shift_right(mixed, SHIFTS[2])
        return _shift_right(mixed, 64 - UNIFORM_BITS).to(torch.float32) * UNIFORM_SCALE


def _signed(number: int) -> int:
    """Return the lower 64 bits as a signed number, as int64 tensors need it."""
    return (number + 2**63) % 2**64 - 2**63


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Shift int64 right logically; `>>` alone extends the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
