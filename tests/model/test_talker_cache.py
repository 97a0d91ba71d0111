"""The talker's cache: where slots write, what they read, and what is left of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model import layers, talker
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from tests.model.generation import Checkpoint

SHARED = CacheSize(max_slots=3, max_positions=15, num_pages=9, page_positions=4)
WHOLE = CacheSize.whole(3, 15, page_positions=4)


def cache_of(odd: Checkpoint, size: CacheSize) -> TalkerCache:
    return TalkerCache.allocate(odd.speech.talker.decoder, size)


def test_how_many_pages_there_are() -> None:
    """A slot's last one may be longer than what is left of it."""
    assert (WHOLE.pages_per_slot, WHOLE.num_pages, WHOLE.is_whole) == (4, 12, True)
    assert (SHARED.pages_per_slot, SHARED.is_whole) == (4, False)


def test_a_slot_writes_in_its_pages_and_else_in_scratch(odd: Checkpoint) -> None:
    cache = cache_of(odd, SHARED)
    cache.give(1, 0, torch.tensor([7]))
    cache.give(1, 1, torch.tensor([2]))
    positions = torch.tensor([[0, 3, 4, 9]])
    indices = cache.indices(cache.page_table[1:2], positions)
    assert indices.tolist() == [[7 * 4, 7 * 4 + 3, 2 * 4, 0 * 4 + 1]]


@pytest.mark.parametrize("size", [SHARED, WHOLE])
def test_what_a_slot_leaves_is_zero(odd: Checkpoint, size: CacheSize) -> None:
    """So that whoever has its pages next may read what it has masked."""
    cache = cache_of(odd, size)
    cache.give(1, 0, torch.tensor([5, 6]))
    cache.key_value.fill_(torch.nan)
    cache.take(1, torch.tensor([5, 6]))
    assert not cache.page_table.any()
    assert not cache.key_value[:, 5:7].any()
    assert cache.key_value[:, [4, 7]].isnan().all()


@torch.inference_mode()
def test_a_running_slot_reads_nothing_but_its_own(odd: Checkpoint) -> None:
    """Neither scratch nor another's page, though it has fewer than attention reads."""
    weights = odd.speech.talker
    cache = cache_of(odd, SHARED)
    cache.give(0, 0, torch.tensor([3, 8]))
    x, positions = torch.randn(2, 48), torch.tensor([5, 11])
    expected, _ = talker.step(weights, cache, x, positions, 14)
    mine = cache.key_value[:, [3, 8]].clone()
    cache.key_value.fill_(torch.nan)
    cache.key_value[:, [3, 8]] = mine
    hidden, _ = talker.step(weights, cache, x, positions, 14)
    assert torch.equal(hidden[0], expected[0])


@pytest.mark.parametrize("size", [SHARED, WHOLE])
@torch.inference_mode()
def test_flash_attention_sees_what_the_mask_lets_through(odd: Checkpoint, size: CacheSize) -> None:
    """Its call, with a stand-in of the same contract: as many positions as `cache_seqlens`."""

    def stand_in(
        q: Tensor, k: Tensor, v: Tensor, *, cache_seqlens: Tensor, block_table: Tensor
    ) -> Tensor:
        assert block_table.dtype == torch.int32
        rows = []
        for row, length in enumerate(cache_seqlens.tolist()):
            key, value = (each[block_table[row]].flatten(0, 1)[:length] for each in (k, v))
            rows.append(layers.attend_cached(q[row], torch.cat((key, value), 1)[None], None))
        return torch.stack(rows).view(q.shape)

    weights = odd.speech.talker
    plain = cache_of(odd, size)
    plain.key_value.copy_(torch.randn(plain.key_value.shape))
    for slot in range(2):
        first = 1 + slot * size.pages_per_slot
        plain.give(slot, 0, torch.arange(first, first + size.pages_per_slot))
    flash = replace(plain, key_value=plain.key_value.clone(), flash=stand_in)
    x, positions = torch.randn(2, 48), torch.tensor([3, 11])
    ours = talker.step(weights, plain, x, positions, 12)
    theirs = talker.step(weights, flash, x, positions, 12)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_flash_attention_is_for_a_gpu_and_sixteen_bits() -> None:
    assert layers.flash_attention(torch.device("cpu"), torch.bfloat16) is None
    assert layers.flash_attention(torch.device("cuda"), torch.float32) is None
