"""Prompts by fused kernels: as by the plain talker, whatever is beside them or was before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model import talker
from qwen_tts_api.model.kernels.prefill import FusedPrefill
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from tests.model.kernels.models import ROUNDING, TILES, talker_of

PAGE = 4


def cache_of(weights: TalkerWeights, pages: list[list[int]]) -> TalkerCache:
    """Return an empty cache in which slots have these pages of four positions."""
    size = CacheSize(len(pages), PAGE * len(pages[0]), 12, PAGE)
    cache = TalkerCache.allocate(weights.decoder, size)
    for slot, own in enumerate(pages):
        cache.give(slot, 0, torch.tensor(own))
    return cache


def embeds_of(weights: TalkerWeights, num_tokens: int, seed: int) -> Tensor:
    """Return the embeddings of a prompt."""
    norm, generator = weights.decoder.norm, torch.Generator().manual_seed(seed)
    return torch.randn(num_tokens, norm.shape[0], generator=generator).to(norm.dtype)


def run(
    weights: TalkerWeights, cache: TalkerCache, prompts: dict[int, Tensor], start: int = 0
) -> tuple[Tensor, Tensor]:
    """Run the tokens of prompts from `start` on, by slot, and one of padding."""
    tokens = [
        (slot, position, prompt[position])
        for slot, prompt in prompts.items()
        for position in range(start, len(prompt))
    ]
    lengths = torch.tensor([len(prompt) - start for prompt in prompts.values()])
    padding = torch.full_like(tokens[0][2], torch.nan)
    hidden, logits = FusedPrefill(weights, cache, len(tokens) + 1, 3, TILES).run(
        torch.stack([*(embed for *_, embed in tokens), padding]),
        torch.tensor([*(slot for slot, *_ in tokens), 0]),
        torch.tensor([*(position for _, position, _ in tokens), -1]),
        lengths.cumsum(0) - 1,
    )
    return hidden.clone(), logits.clone()


@pytest.mark.parametrize(
    ("shape", "dtype"), [("powers of two", torch.float16), ("odd", torch.float32)]
)
def test_the_plain_talkers_states_logits_and_cache(shape: str, dtype: torch.dtype) -> None:
    """Of two prompts: one of a token, one that crosses a page and a block of positions."""
    weights = talker_of(shape, dtype)
    pages = [[3, 1, 4], [2, 6, 5]]
    plain, fused = cache_of(weights, pages), cache_of(weights, pages)
    prompts = {1: embeds_of(weights, 9, 0), 0: embeds_of(weights, 1, 1)}
    padded = torch.nn.utils.rnn.pad_sequence([*prompts.values()], batch_first=True)
    expected = talker.prefill(
        weights, plain, padded, torch.tensor([9, 1]), torch.tensor([*prompts])
    )
    made = run(weights, fused, prompts)
    for ours, theirs in zip(made, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=5 * ROUNDING[dtype])
    lengths = {1: 9, 0: 1}
    for slot, length in lengths.items():
        index = fused.indices(fused.page_table[[slot]], torch.arange(length).unsqueeze(0))
        written = [cache.key_value.flatten(1, 2)[:, index] for cache in (fused, plain)]
        torch.testing.assert_close(*written, rtol=0, atol=5 * ROUNDING[dtype])


def test_a_prompts_company_slot_pages_and_cached_prefix_change_no_bit() -> None:
    weights = talker_of("odd", torch.float16)
    prompt, other = embeds_of(weights, 9, 0), embeds_of(weights, 3, 1)
    alone = run(weights, cache_of(weights, [[3, 1, 4]]), {0: prompt})
    cache = cache_of(weights, [[9, 8, 7], [2, 6, 5]])
    together = run(weights, cache, {0: other, 1: prompt})
    assert [part[1].tolist() for part in together] == [part[0].tolist() for part in alone]
    cache = cache_of(weights, [[1, 2, 3]])
    run(weights, cache, {0: prompt[:5]})
    continued = run(weights, cache, {0: prompt}, start=5)
    assert [part.tolist() for part in continued] == [part.tolist() for part in alone]
