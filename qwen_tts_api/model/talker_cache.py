"""The talker's key-value cache: pages of positions, which slots have as their utterances grow.

A table says which pages each slot has. Page 0 is scratch, which the table has where a slot has no
page: what slots that do not run compute is written there, and no running slot reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.model.layers import DecoderWeights, Rope, attend_cached, flash_attention

PAGE_POSITIONS = 64
"""An utterance leaves half of its last page unused: 32 positions of the 500 of half a minute."""

FLASH_PAGE_POSITIONS = 256
"""The smallest page that flash-attn 2 takes: it refuses what 256 does not divide."""

Reader = Callable[[Tensor, Tensor], Tensor]
"""Attends from queries `[B, H, head_dim]`, each of one slot, to a layer's pages."""


@dataclass(frozen=True)
class CacheSize:
    """How much a cache holds.

    Attributes:
        max_slots: R.
        max_positions: S, for a prompt and its frames together.
        num_pages: P, for all slots; scratch comes on top.
        page_positions: How many positions a page has.
    """

    max_slots: int
    max_positions: int
    num_pages: int
    page_positions: int = PAGE_POSITIONS

    @classmethod
    def whole(
        cls, max_slots: int, max_positions: int, page_positions: int = PAGE_POSITIONS
    ) -> CacheSize:
        """Return the size at which all slots can have all their positions at once."""
        num_pages = max_slots * -(-max_positions // page_positions)
        return cls(max_slots, max_positions, num_pages, page_positions)

    @property
    def pages_per_slot(self) -> int:
        """M: the pages of S positions."""
        return -(-self.max_positions // self.page_positions)

    @property
    def is_whole(self) -> bool:
        """Whether all slots can have all their positions at once.

        Then the n-th page of a slot is always page 1 + slot * M + n. So its positions lie one after
        another, and attention reads them where they are.
        """
        return self.num_pages == self.max_slots * self.pages_per_slot


@dataclass(frozen=True)
class TalkerCache:
    """Keys and values of all slots, and the RoPE tables. Allocated once.

    Attributes:
        key_value: `[L, 1 + P, page, 2 * H_kv, head_dim]`, as of `DecoderWeights.allocate_cache`. A
            page that no slot has is zero.
        page_table: `[R, M]` int32: the pages of each slot, in the order of its positions.
        rope: Tables of all S positions.
        size: R, S, P, and how many positions a page has.
        flash: flash-attn's `flash_attn_with_kvcache`, or None for masked SDPA.
    """

    key_value: Tensor
    page_table: Tensor
    rope: Rope
    size: CacheSize
    flash: Callable[..., Any] | None

    @classmethod
    def allocate(cls, decoder: DecoderWeights, size: CacheSize, flash: bool = False) -> TalkerCache:
        """Return a cache in which no slot has a page.

        Args:
            decoder: Tells the device, the dtype and the shapes.
            size: How many slots, positions and pages.
            flash: Use flash-attn, where it is installed and computes in this dtype.
        """
        key_value = decoder.allocate_cache(1 + size.num_pages, size.page_positions)
        device, table = key_value.device, (size.max_slots, size.pages_per_slot)
        return cls(
            key_value=key_value,
            page_table=torch.zeros(table, dtype=torch.int32, device=device),
            rope=decoder.rope(size.max_positions),
            size=size,
            flash=flash_attention(device, key_value.dtype) if flash else None,
        )

    def give(self, slot: int, first: int, pages: Tensor) -> None:
        """Let a slot have `pages`, int64 `[n]`, as its pages from `first` on.

        Neither this nor `take` synchronises with the device.
        """
        self.page_table[slot, first : first + len(pages)].copy_(pages)

    def take(self, slot: int, pages: Tensor) -> None:
        """Release all pages of a slot, int64 `[n]`, and zero them.

        Masked positions must be finite, because 0 times NaN is NaN, and an utterance that
        overflowed its dtype leaves NaN behind.
        """
        self.page_table[slot].fill_(0)
        self.key_value.index_fill_(1, pages, 0)

    def indices(self, table: Tensor, positions: Tensor) -> Tensor:
        """Return where slots write in the flattened pages of a layer: `[n, T]` int64.

        Args:
            table: `[n, M]`: the slots' rows of `page_table`.
            positions: `[n, T]` int64, of each slot; where it has no page, that is in scratch.
        """
        size = self.size.page_positions
        return torch.add(positions % size, table.gather(1, positions // size), alpha=size)

    def reader(self, positions: Tensor, kv_len: int) -> Reader:
        """Return what attends to the first slots' keys and values up to their positions.

        Args:
            positions: `[B]` int64.
            kv_len: More than the position of every running slot; flash-attn needs no such bound.
        """
        if self.flash is not None:
            return self._flash_reader(positions, self.flash)
        return self._masked_reader(positions, kv_len)

    def _masked_reader(self, positions: Tensor, kv_len: int) -> Reader:
        """Return SDPA that masks what is after each slot's position; all layers share the mask."""
        dtype, device = self.key_value.dtype, positions.device
        beyond = torch.arange(kv_len, device=device) > positions.unsqueeze(-1)
        mask = torch.zeros_like(beyond, dtype=dtype).masked_fill_(beyond, -torch.inf)[:, None, None]
        slots = self._view_slots if self.size.is_whole else self._gatherer(positions, kv_len)

        def read(query: Tensor, pages: Tensor) -> Tensor:
            return attend_cached(query, slots(pages)[: len(query), :kv_len], mask)

        return read

    def _view_slots(self, pages: Tensor) -> Tensor:
        """View a layer's pages as slots, `[R, M * page, 2 * H_kv, head_dim]`."""
        shape = (self.size.max_slots, -1, *pages.shape[2:])
        return pages[1:].view(shape)

    def _gatherer(self, positions: Tensor, kv_len: int) -> Callable[[Tensor], Tensor]:
        """Return what copies slots out of a layer's pages: `[B, n * page, 2 * H_kv, head_dim]`.

        Instead of pages beyond a slot's position that of its position is read again: all that a
        running slot reads is its own, and so is finite.
        """
        size, num_slots = self.size.page_positions, len(positions)
        numbers = torch.arange(-(-kv_len // size), device=positions.device)
        numbers = torch.minimum(numbers, (positions // size).unsqueeze(-1))
        taken = self.page_table[:num_slots].gather(1, numbers).flatten()
        return lambda pages: pages.index_select(0, taken).view(num_slots, -1, *pages.shape[2:])

    def _flash_reader(self, positions: Tensor, flash: Callable[..., Any]) -> Reader:
        """Return flash-attn, which reads as many positions as each slot has."""
        lengths = (positions + 1).to(torch.int32)
        table = self.page_table[: len(positions)]

        def read(query: Tensor, pages: Tensor) -> Tensor:
            key, value = pages.chunk(2, 2)
            out: Tensor = flash(
                query.unsqueeze(1), key, value, cache_seqlens=lengths, block_table=table
            )
            return out.flatten(1)

        return read
