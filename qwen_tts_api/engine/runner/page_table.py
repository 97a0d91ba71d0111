"""Which pages of the talker's cache each slot has."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from torch import Tensor

from qwen_tts_api.model.talker_cache import TalkerCache
from qwen_tts_api.model.weights.placement import to_device


class PageTable:
    """The pages that slots have, chosen here and written into a cache's table.

    Where all slots can have all their positions at once, each has pages of its own; else a slot
    takes the lowest that are free, so that a CPU's memory is touched no further than is needed.

    Args:
        cache: In which no slot has a page.
    """

    def __init__(self, cache: TalkerCache) -> None:
        self._cache = cache
        self._pages: list[list[int]] = [[] for _ in range(cache.size.max_slots)]
        self._free = [] if cache.size.is_whole else list(range(1, 1 + cache.size.num_pages))

    def grow(self, slot: int, num_pages: int) -> None:
        """Allocate pages so that a slot has at least so many."""
        pages = self._pages[slot]
        first = len(pages)
        if num_pages <= first:
            return
        pages += self._chosen(slot, first, num_pages)
        self._cache.give(slot, first, self._index(pages[first:]))

    def release(self, slot: int) -> None:
        """Release all pages of a slot; what raises leaves them to it, to be released again."""
        pages = self._pages[slot]
        if not pages:
            return
        self._cache.take(slot, self._index(pages))
        self._pages[slot] = []
        if not self._cache.size.is_whole:
            for page in pages:
                heapq.heappush(self._free, page)

    def _chosen(self, slot: int, first: int, last: int) -> Sequence[int]:
        if self._cache.size.is_whole:
            start = 1 + slot * self._cache.size.pages_per_slot
            return range(start + first, start + last)
        return [heapq.heappop(self._free) for _ in range(first, last)]

    def _index(self, pages: Sequence[int]) -> Tensor:
        return to_device(pages, self._cache.page_table.device)
