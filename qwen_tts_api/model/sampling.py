"""From logits to a code, row by row, without one decision on the host.

Every parameter is a tensor with a value a row, so requests of different settings share a batch and
a CUDA graph. The chain and its order are those of transformers 4.57.3 as upstream's `generate` sets
it up: repetition penalty, no end of speech among the first two codes, suppressed ids, temperature,
top-k, top-p; the last three are skipped where a row is greedy.

Draws come from a counter instead of a generator's state: the request's seed, the frame and the
codebook alone decide a draw, so that a request sounds the same in any slot and any company.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MIN_NEW_TOKENS = 2
"""Before these the end of speech is forbidden (upstream's `min_new_tokens`)."""

NUM_SPECIAL_IDS = 1024
"""The last ids of the talker's vocabulary, never drawn but for the end of speech."""

# SplitMix64 (Steele, Lea and Flood 2014; the constants of Vigna's version), as signed 64 bits.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
_SHIFTS = (30, 27, 31)

_DRAW_BITS = 24
# Below 1 by more than the rounding of a running sum of 3,072 probabilities: whichever way it is
# added up, a draw is below what the last code of any probability brings it to.
_DRAW_SCALE = 2.0**-_DRAW_BITS * (1 - 2.0**-19)


@dataclass(frozen=True)
class Truncation:
    """What the rows of a batch need of top-k and top-p; static, so it is part of a graph's key.

    Sorting thousands of logits sixteen times a frame is expensive on a GPU.

    Attributes:
        max_top_k: No row's top_k is above it, and only that many logits are ranked. None: all are.
        top_p: Whether any row's top_p is below 1.
    """

    max_top_k: int | None
    top_p: bool


@dataclass(frozen=True)
class SamplingRows:
    """The sampling parameters of all rows, written by `set_row`, owned by whoever allocated them.

    Attributes:
        temperature: `[R, 1]` float32; 1 where a row is greedy.
        last_rank: `[R, 1]` int64: top_k - 1, the rank of the last code kept; 0 where greedy.
        tail: `[R, 1]` float32: 1 - top_p, how much probability top-p cuts off; 0 where greedy.
        draws: `[R, 1]` float32; 0 where a row is greedy, else 1.
        vocabulary: How many logits there are.
    """

    temperature: Tensor
    last_rank: Tensor
    tail: Tensor
    draws: Tensor
    vocabulary: int

    @classmethod
    def allocate(cls, num_rows: int, vocabulary: int, device: torch.device) -> SamplingRows:
        """Return parameters of `num_rows` greedy rows."""
        return cls(
            temperature=torch.ones(num_rows, 1, device=device),
            last_rank=torch.zeros(num_rows, 1, dtype=torch.int64, device=device),
            tail=torch.zeros(num_rows, 1, device=device),
            draws=torch.zeros(num_rows, 1, device=device),
            vocabulary=vocabulary,
        )

    def set_row(self, row: int, temperature: float, top_k: int, top_p: float) -> None:
        """Set one row's parameters; does not synchronise.

        Args:
            row: Which.
            temperature: 0 is greedy, whatever the others say.
            top_k: 0 is no limit.
            top_p: In (0, 1]; 1 is no limit.
        """
        greedy = temperature == 0
        self.temperature[row].fill_(1.0 if greedy else temperature)
        limit = min(top_k or self.vocabulary, self.vocabulary)
        self.last_rank[row].fill_(0 if greedy else limit - 1)
        self.tail[row].fill_(0.0 if greedy else 1 - top_p)
        self.draws[row].fill_(0.0 if greedy else 1.0)

    def at(self, rows: Tensor | slice, truncation: Truncation) -> SamplingRows:
        """Return some rows' parameters, with top_k cut down to `truncation`.

        It is cut where a row is idle and still has the parameters of its last request: there is no
        such rank. Views of a slice otherwise, copies for an int64 `[n]`.
        """
        last_rank = self.last_rank[rows]
        if truncation.max_top_k is not None:
            last_rank = last_rank.clamp(max=truncation.max_top_k - 1)
        return SamplingRows(
            self.temperature[rows], last_rank, self.tail[rows], self.draws[rows], self.vocabulary
        )


@dataclass(frozen=True)
class Restrictions:
    """What code 0 may not be.

    Attributes:
        bias: `[MIN_NEW_TOKENS + 1, V]` float32, 0 or -inf, by the number of codes 0 so far.
    """

    bias: Tensor

    @classmethod
    def build(cls, vocabulary: int, eos: int, device: torch.device) -> Restrictions:
        """Suppress the last 1,024 ids but `eos`, and `eos` too as long as codes are too few."""
        bias = torch.zeros(MIN_NEW_TOKENS + 1, vocabulary)
        bias[:, -NUM_SPECIAL_IDS:] = -math.inf
        bias[:, eos] = -math.inf
        bias[-1, eos] = 0
        return cls(bias.to(device))

    def apply(self, logits: Tensor, seen: Tensor, penalty: Tensor, num_codes: Tensor) -> Tensor:
        """Penalise what was said before, and forbid what may not be said.

        Args:
            logits: `[B, V]` float32.
            seen: `[B, V]` bool: the codes 0 that this utterance has generated.
            penalty: `[B, 1]` float32; 1 is none.
            num_codes: `[B]` int64: how many codes 0 this utterance has generated.

        Source: transformers' `RepetitionPenaltyLogitsProcessor`,
        `MinNewTokensLengthLogitsProcessor` and `SuppressTokensLogitsProcessor`, in this order.
        """
        penalised = torch.where(logits < 0, logits * penalty, logits / penalty)
        bias = self.bias.index_select(0, num_codes.clamp(max=MIN_NEW_TOKENS))
        return torch.where(seen, penalised, logits) + bias


def truncate(scores: Tensor, rows: SamplingRows, truncation: Truncation) -> tuple[Tensor, Tensor]:
    """Apply temperature, top-k and top-p to `scores`, `[B, V]` float32.

    Equal logits at the edge of top-k are all kept, as transformers does, as far as they are ranked.

    Returns:
        The ranked scores, largest first, -inf where a code is ruled out, and the codes they belong
        to: `[B, K]` float32 and int64, K being `truncation.max_top_k` or V.

    Source: transformers' `TemperatureLogitsWarper`, `TopKLogitsWarper`, `TopPLogitsWarper`.
    """
    if truncation.max_top_k is None:
        ranked, codes = scores.sort(dim=-1, descending=True, stable=True)
    else:
        ranked, codes = scores.topk(truncation.max_top_k, -1)
    ranked = ranked / rows.temperature
    ranked = ranked.masked_fill(ranked < ranked.gather(-1, rows.last_rank), -math.inf)
    if truncation.top_p:
        # A code goes if it and all that are less likely have at most 1 - top_p together; summed
        # from the least likely up, as rounding decides the close calls. The likeliest one stays.
        rest = ranked.softmax(-1).flip(-1).cumsum(-1).flip(-1)
        rest[:, 0] = math.inf
        ranked = ranked.masked_fill(rest <= rows.tail, -math.inf)
    return ranked, codes


def draw(scores: Tensor, rows: SamplingRows, uniform: Tensor, truncation: Truncation) -> Tensor:
    """Draw one code a row: the first, by rank, whose running sum of probability is over `uniform`.

    Args:
        scores: `[B, V]` float32.
        rows: Parameters of these rows, from `SamplingRows.at`.
        uniform: `[B, 1]` float32 from `Counter.uniforms`, times `rows.draws`: of equal logits a
            greedy row takes the same one whatever its seed.
        truncation: The one that `rows` were made with.

    Returns:
        `[B]` int64. Without synchronisation, and in range even where a row's scores are NaN.
    """
    ranked, codes = truncate(scores, rows, truncation)
    running = ranked.softmax(-1).cumsum(-1)
    rank = torch.searchsorted(running, uniform * running.narrow(-1, -1, 1), right=True)
    return codes.gather(-1, rank.clamp_(max=codes.shape[-1] - 1)).squeeze(-1)


def seed_key(seed: int) -> int:
    """Return the key of a request's draws, a signed 64-bit integer: its seed, well mixed.

    Unmixed, seeds that are a multiple of the generator's step apart would share their draws.
    """
    mixed = (seed + _GAMMA) % 2**64
    for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, 1), strict=True):
        mixed = (mixed ^ (mixed >> shift)) * multiplier % 2**64
    return _signed(mixed)


@dataclass(frozen=True)
class Counter:
    """The draws `first` to `first + num_draws - 1` of every frame.

    Draw number `frame * num_code_groups + g` is that of code g, so the draws of codes 1 to 15 and
    of the next frame's code 0 are next to each other.
    """

    steps: Tensor
    num_code_groups: int

    @classmethod
    def build(
        cls, first: int, num_draws: int, num_code_groups: int, device: torch.device
    ) -> Counter:
        """Precompute the steps `[num_draws]` int64."""
        steps = torch.arange(first + 1, first + 1 + num_draws, device=device) * _GAMMA
        return cls(steps, num_code_groups)

    def uniforms(self, key: Tensor, frame: Tensor) -> Tensor:
        """Draw from [0, 1): `[B, num_draws]` float32, by `key` and `frame`, both `[B]` int64.

        The numbers of SplitMix64 with `key` as its state; multiplication wraps around.
        """
        start = key + frame * _signed(self.num_code_groups * _GAMMA)
        mixed = start.unsqueeze(-1) + self.steps
        for shift, multiplier in zip(_SHIFTS[:2], _MULTIPLIERS, strict=True):
            mixed = (mixed ^ _shift_right(mixed, shift)) * multiplier
        mixed ^= _shift_right(mixed, _SHIFTS[2])
        return _shift_right(mixed, 64 - _DRAW_BITS).to(torch.float32) * _DRAW_SCALE


def _signed(number: int) -> int:
    """Return the lower 64 bits as a signed number, which is what fits a tensor."""
    return (number + 2**63) % 2**64 - 2**63


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Shift int64 to the right and fill with zeros, where `>>` alone copies the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
