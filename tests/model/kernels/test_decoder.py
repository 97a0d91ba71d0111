"""A token a slot through a layer: as by the plain talker, at whatever positions and in any slot."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model import talker
from qwen_tts_api.model.kernels.decoder import FusedDecoder
from qwen_tts_api.model.kernels.key_value import PagedCache, Tokens
from qwen_tts_api.model.kernels.tiles import AttentionTile
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from tests.model.kernels.models import ROUNDING, SHAPES, TILES, VOCABULARY, talker_of

PAGE, LAST = 4, 11
POSITIONS = [0, 3, 4, LAST, 7, 8]
"""The first and the last, around the end of a page, and around that of a split."""


def cache_of(weights: TalkerWeights, pages: Tensor) -> TalkerCache:
    """Return a cache in which a slot's position has the same numbers wherever its page is."""
    size = CacheSize(len(pages), LAST + 1, 3 * len(POSITIONS) + 1, PAGE)
    cache = TalkerCache.allocate(weights.decoder, size)
    shape = cache.key_value[:, 0].shape
    for slot, own in enumerate(pages):
        cache.give(slot, 0, own)
        for number, page in enumerate(own):
            generator = torch.Generator().manual_seed(number)
            cache.key_value[:, page] = torch.randn(shape, generator=generator).to(
                cache.key_value.dtype
            )
    return cache


def inputs_of(weights: TalkerWeights) -> Tensor:
    """Return a token for each of the positions, of the same numbers."""
    norm = weights.decoder.norm
    x = torch.randn(norm.shape[0], generator=torch.Generator().manual_seed(3)).to(norm.dtype)
    return x.expand(len(POSITIONS), -1)


def step(
    weights: TalkerWeights, cache: TalkerCache, x: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """Run a token a slot by kernels; return the states and the logits."""
    pages = PagedCache(cache.key_value, cache.page_table, cache.rope)
    decoder = FusedDecoder(weights.decoder, pages, VOCABULARY, len(x), TILES)
    decoder.x.copy_(x)
    decoder.run(Tokens(torch.arange(len(x)), positions), len(x))
    hidden = torch.zeros_like(x)
    return hidden, decoder.head(weights.codec_head, len(x), hidden=hidden)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_plain_talkers_states_logits_and_cache(shape: str, dtype: torch.dtype) -> None:
    weights, positions = talker_of(shape, dtype), torch.tensor(POSITIONS)
    pages = 1 + torch.randperm(18, generator=torch.Generator().manual_seed(5)).view(-1, 3)
    plain, fused = cache_of(weights, pages), cache_of(weights, pages)
    x = inputs_of(weights)
    expected = talker.step(weights, plain, x, positions, LAST + 1)
    for ours, theirs in zip(step(weights, fused, x, positions), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=5 * ROUNDING[dtype])
    torch.testing.assert_close(fused.key_value, plain.key_value, rtol=0, atol=5 * ROUNDING[dtype])


def test_a_slot_is_alone_to_the_last_bit_and_one_without_a_token_is_left_alone() -> None:
    weights = talker_of("odd", torch.float16)
    x = inputs_of(weights)
    cache = cache_of(weights, 1 + torch.arange(18).view(-1, 3))
    before = cache.key_value.clone()
    hidden, _ = step(weights, cache, x, torch.tensor([3, -1, 7, LAST, 0, -1]))
    for slot in (1, 5):
        own = cache.page_table[slot].long()
        assert torch.equal(cache.key_value[:, own], before[:, own])
    alone = cache_of(weights, torch.tensor([[9, 2, 4]]))
    [expected], _ = step(weights, alone, x[:1], torch.tensor([LAST]))
    assert torch.equal(hidden[3], expected)


@pytest.mark.parametrize("block", [16, 32])
def test_pages_of_whole_blocks_and_blocks_of_whole_pages(block: int) -> None:
    """Around the ends of blocks and splits of 32 positions, in pages of 16."""
    weights, positions = talker_of("powers of two", torch.float32), [0, 1, 15, 16, 31, 32, 33, 63]
    plain, fused = (
        TalkerCache.allocate(weights.decoder, CacheSize.whole(len(positions), 64, 16))
        for _ in range(2)
    )
    generator = torch.Generator().manual_seed(0)
    for cache in (plain, fused):
        for slot in range(len(positions)):
            cache.give(slot, 0, torch.arange(1 + 4 * slot, 5 + 4 * slot))
    plain.key_value.normal_(generator=generator)
    fused.key_value.copy_(plain.key_value)
    x = torch.randn(len(positions), weights.decoder.norm.shape[0], generator=generator)
    expected, _ = talker.step(weights, plain, x, torch.tensor(positions), 64)

    pages = PagedCache(fused.key_value, fused.page_table, fused.rope)
    tiles = replace(TILES, attention=AttentionTile(split=32, programs=2, block=block))
    decoder = FusedDecoder(weights.decoder, pages, VOCABULARY, len(x), tiles)
    decoder.x.copy_(x)
    decoder.run(Tokens(torch.arange(len(x)), torch.tensor(positions)), len(x))
    hidden = torch.zeros_like(x)
    decoder.head(weights.codec_head, len(x), hidden=hidden)
    torch.testing.assert_close(hidden, expected, rtol=0, atol=5 * ROUNDING[torch.float32])
    torch.testing.assert_close(fused.key_value, plain.key_value, rtol=0, atol=1e-4)
