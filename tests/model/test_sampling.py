"""Sampling: transformers' distribution, and numbers that depend on a request alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from qwen_tts_api.model.sampling import (
    MIN_NEW_TOKENS,
    CounterRng,
    LogitsBias,
    SamplingTensors,
    TopKTopP,
    apply_top_k_top_p,
    sample,
    seed_key,
)
from tests.model.generation import sampling_of

CPU = torch.device("cpu")
VOCABULARY, EOS = 3072, 2150
SETTINGS = [
    (0.9, 50, 1.0),
    (1.3, 5, 0.8),
    (0.3, 64, 0.95),
    (2.0, 1, 0.5),
    (1.0, 20, 0.01),
    (1.0, 9, 1e-9),
]
UNLIMITED = [(0.7, 0, 1.0), (1.0, 0, 0.9), (1.0, 5000, 0.5), (0.9, 500, 1.0)]


def logits_of(num_slots: int, seed: int = 0, vocabulary: int = VOCABULARY) -> Tensor:
    """Return logits as spread as a model's."""
    return torch.randn(num_slots, vocabulary, generator=torch.Generator().manual_seed(seed)) * 3


def params_of(
    settings: list[tuple[float, int, float]], vocabulary: int = VOCABULARY
) -> SamplingTensors:
    """Return rows with these temperatures, top_k and top_p."""
    return sampling_of(settings, vocabulary)


def warped(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Apply transformers' warpers as its `generate` puts them together."""
    chain: Any = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k:
        chain.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        chain.append(TopPLogitsWarper(top_p))
    scores: Tensor = chain(torch.zeros(len(logits), 0, dtype=torch.int64), logits)
    return scores


@pytest.mark.parametrize(
    ("settings", "top_k_top_p"),
    [
        (SETTINGS, TopKTopP(64, True)),
        (SETTINGS + UNLIMITED, TopKTopP(None, True)),
        (SETTINGS[:1], TopKTopP(50, False)),
        (UNLIMITED[:1], TopKTopP(None, False)),
    ],
)
def test_the_distribution_is_that_of_transformers(
    settings: list[tuple[float, int, float]], top_k_top_p: TopKTopP
) -> None:
    """The same codes are left, with the same probabilities; every row by its own parameters."""
    logits = logits_of(len(settings))
    ranked, codes = apply_top_k_top_p(
        logits, params_of(settings).at(slice(None), top_k_top_p), top_k_top_p
    )
    scores = torch.full_like(logits, -math.inf).scatter(1, codes, ranked)
    for row, setting in enumerate(settings):
        expected = warped(logits[row : row + 1], *setting)[0]
        assert torch.equal(scores[row].isinf(), expected.isinf()), setting
        torch.testing.assert_close(scores[row].softmax(-1), expected.softmax(-1))


def test_equal_logits_at_the_edge_are_kept() -> None:
    """As transformers does: top-k is a threshold, not a count."""
    logits = torch.zeros(1, VOCABULARY)
    logits[0, 10:25] = 4.0
    top_k_top_p = TopKTopP(64, False)
    ranked, codes = apply_top_k_top_p(
        logits, params_of([(1.0, 5, 1.0)]).at(slice(None), top_k_top_p), top_k_top_p
    )
    kept = codes[ranked.isfinite()].sort().values
    assert kept.tolist() == list(range(10, 25))
    assert warped(logits, 1.0, 5, 1.0).isfinite().sum() == 15


@pytest.mark.parametrize("num_codes", [0, 1, 2, 3])
def test_the_logits_bias_is_that_of_transformers(num_codes: int) -> None:
    """Penalty, minimum, suppression, in this order, where the end of speech is the likeliest."""
    logits = logits_of(3)
    logits[:, EOS] = 30.0
    said = torch.randint(0, 2048, (3, num_codes), generator=torch.Generator().manual_seed(1))
    suppressed = [code for code in range(VOCABULARY - 1024, VOCABULARY) if code != EOS]
    chain: Any = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(1.5),
            MinNewTokensLengthLogitsProcessor(0, 2, EOS),
            SuppressTokensLogitsProcessor(suppressed),
        ]
    )
    seen = torch.zeros(3, VOCABULARY, dtype=torch.bool).scatter(1, said, True)
    logits_bias = LogitsBias.build(VOCABULARY, EOS, CPU)
    two, counts = torch.full((3,), MIN_NEW_TOKENS), torch.full((3,), num_codes)
    scores = logits_bias.apply(logits, seen, torch.full((3, 1), 1.5), counts, two)
    assert torch.equal(scores, chain(said, logits))
    assert bool(scores[0].argmax() == EOS) == (num_codes >= 2)


def test_each_slot_has_its_own_penalty_and_count() -> None:
    """Rows of a batch are at different places of different requests."""
    logits = logits_of(4).abs()
    seen = torch.ones(4, VOCABULARY, dtype=torch.bool)
    logits_bias = LogitsBias.build(VOCABULARY, EOS, CPU)
    penalty, counts = torch.tensor([[2.0], [1.0], [1.0], [1.0]]), torch.tensor([1, 7, 7, 7])
    scores = logits_bias.apply(logits, seen, penalty, counts, torch.tensor([2, 2, 7, 2**31]))
    assert torch.equal(scores[0, :2048], logits[0, :2048] / 2)
    assert torch.equal(scores[1, :2048], logits[1, :2048])
    assert scores[:, EOS].isinf().tolist() == [True, False, False, True]


def codes_of(logits: Tensor, setting: tuple[float, int, float], top_k_top_p: TopKTopP) -> Tensor:
    """Sample a code from each row of `logits`, row n with seed n."""
    rows = params_of([setting], logits.shape[1]).at(
        torch.zeros(len(logits), dtype=torch.int64), top_k_top_p
    )
    keys = torch.tensor([seed_key(seed) for seed in range(len(logits))])
    uniforms = CounterRng.build(0, 1, 16, CPU).uniforms(keys, torch.full((len(logits),), 3))
    return sample(logits, rows, uniforms * rows.uniform_scale, top_k_top_p)


@pytest.mark.parametrize(
    ("setting", "top_k_top_p"),
    [
        ((0.9, 20, 1.0), TopKTopP(64, False)),
        ((0.9, 30, 0.9), TopKTopP(64, True)),
        ((0.9, 0, 0.95), TopKTopP(None, True)),
    ],
)
def test_codes_are_sampled_as_often_as_they_should_be(
    setting: tuple[float, int, float], top_k_top_p: TopKTopP
) -> None:
    """A chi-square test over 20,000 seeds; nothing that was ruled out is ever sampled."""
    num_uniforms = 20_000
    logits = logits_of(1, seed=5, vocabulary=200)
    probability = warped(logits, *setting)[0].softmax(-1)
    sampled = codes_of(logits.expand(num_uniforms, -1), setting, top_k_top_p)
    counts = torch.bincount(sampled, minlength=200).float()
    assert (counts[probability == 0] == 0).all()
    expected = num_uniforms * probability
    often = expected >= 5
    statistic = float(((counts - expected)[often] ** 2 / expected[often]).sum())
    freedom = int(often.sum()) - 1
    assert freedom > 10
    # Five standard deviations: the statistic's mean is `freedom`, its variance twice that.
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)


def test_greedy_is_argmax_whatever_else_is_set() -> None:
    """Temperature 0 wins over top_k and top_p, and a seed means nothing."""
    logits = logits_of(40)
    for top_k_top_p in (TopKTopP(1, False), TopKTopP(64, True), TopKTopP(None, True)):
        for temperature in (0.0, 1e-300):  # float32 has none between
            sampled = codes_of(logits, (temperature, 50, 0.9), top_k_top_p)
            assert torch.equal(sampled, logits.argmax(-1))
    tied = torch.zeros(40, VOCABULARY)
    assert len(set(codes_of(tied, (0.0, 0, 1.0), TopKTopP(64, False)).tolist())) == 1


def test_scores_that_are_no_numbers_still_give_a_code() -> None:
    """An index out of range would end the process on a GPU."""
    logits = torch.full((3, VOCABULARY), math.nan)
    logits[1:] = -math.inf
    for top_k_top_p in (TopKTopP(64, True), TopKTopP(None, True)):
        sampled = codes_of(logits, (0.9, 50, 0.9), top_k_top_p)
        assert ((sampled >= 0) & (sampled < VOCABULARY)).all()


def test_an_idle_slot_may_exceed_the_truncation() -> None:
    """Its parameters are those of a request that is over."""
    top_k_top_p = TopKTopP(64, False)
    sampled = codes_of(logits_of(4), (1.0, 900, 1.0), top_k_top_p)
    assert ((sampled >= 0) & (sampled < VOCABULARY)).all()


def test_a_slot_samples_the_same_in_any_batch() -> None:
    """The same seed, frame and logits: alone, last of many, and with every logit ranked."""
    logits, setting = logits_of(9), (0.9, 50, 1.0)
    together = codes_of(logits, setting, TopKTopP(64, False))
    ranked = codes_of(logits, setting, TopKTopP(None, True))
    assert torch.equal(together, ranked)
    rows = params_of([setting]).at(slice(None), TopKTopP(64, False))
    for seed in range(9):
        key = torch.tensor([seed_key(seed)])
        uniform = CounterRng.build(0, 1, 16, CPU).uniforms(key, torch.tensor([3]))
        alone = sample(logits[seed : seed + 1], rows, uniform, TopKTopP(64, False))
        assert alone == together[seed]


def split_mix_64(state: int, count: int) -> list[int]:
    """Return the first numbers of SplitMix64, in Python's own integers."""
    numbers = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        numbers.append(mixed ^ (mixed >> 31))
    return numbers


def test_the_numbers_are_split_mix_64() -> None:
    """Of its published test vector, and the same numbers when a frame takes them at once."""
    assert split_mix_64(1234567, 2) == [6457827717110365317, 3203168211198807973]
    for seed in (0, 1234567, 2**63 - 1, 2**64 - 1):
        key = seed_key(seed)
        assert key % 2**64 == split_mix_64(seed, 1)[0]
        numbers = [number >> 40 for number in split_mix_64(key % 2**64, 16 * 3 + 17)]
        rng = CounterRng.build(1, 16, 16, CPU)
        uniforms = rng.uniforms(torch.tensor([key] * 2), torch.tensor([0, 3]))
        ours = (uniforms * 2**24 * (1 + 2.0**-19)).round().long()
        expected = torch.tensor([numbers[1:17], numbers[49:65]])
        assert (ours - expected).abs().max() <= 1


def test_one_frame_ends_where_the_next_begins() -> None:
    """The last of a frame's numbers is for the next frame's code 0; no two are the same."""
    key = torch.tensor([seed_key(7)] * 50)
    frames = torch.arange(50)
    first = CounterRng.build(0, 1, 16, CPU).uniforms(key, frames)
    rest = CounterRng.build(1, 16, 16, CPU).uniforms(key, frames)
    assert torch.equal(first[1:, 0], rest[:-1, -1])
    assert len(set(rest.flatten().tolist())) > 795


def test_numbers_are_uniform_and_unrelated() -> None:
    """Over seeds, frames and codebooks, neighbours of each included."""
    keys = torch.tensor([seed_key(seed) for seed in range(2000)])
    rng = CounterRng.build(1, 16, 16, CPU)
    uniforms = torch.stack([rng.uniforms(keys, torch.full((2000,), n)) for n in range(8)])
    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    counts = torch.histc(uniforms, 64, 0, 1)
    expected = uniforms.numel() / 64
    assert ((counts - expected).square() / expected).sum() < 63 + 5 * math.sqrt(126)
    centred = uniforms - 0.5
    for dim in range(3):
        shifted = centred.roll(1, dim)
        assert abs(float((centred * shifted).mean()) * 12) < 0.01
