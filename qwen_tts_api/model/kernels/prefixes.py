"""Keys and values of prompts' beginnings, between slots and a store."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.kernels.key_value import PagedCache

_BLOCK = 1024
"""Elements that a program moves at a time."""


def copy_prefixes(store: Tensor, cache: PagedCache, places: Tensor, *, to_slots: bool) -> None:
    """Copy keys and values of all layers between a store and slots.

    Args:
        store: `[L, M, 2 * H_kv, head_dim]`.
        cache: `[L, P, PAGE, 2 * H_kv, head_dim]`.
        places: `[n, 3]` int64: place in the store, slot, position; none is written twice.
        to_slots: From the store; else to it.
    """
    key_value = cache.key_value
    _copy_kernel[(len(places), len(store))](
        store,
        key_value,
        cache.page_table,
        cache.page_table.shape[1],
        places,
        store.stride(0),
        key_value.stride(0),
        int(to_slots),
        PAGE=key_value.shape[2],
        WIDTH=store.stride(1),
        BLOCK=_BLOCK,
    )


@triton.jit(do_not_specialize=["max_pages", "to_slots"])
def _copy_kernel(
    store,
    cache,
    page_table,
    max_pages,
    places,
    store_stride,
    cache_stride,
    to_slots,
    PAGE: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One position of one layer of `copy_prefixes`."""
    layer = tl.program_id(1).to(tl.int64)
    place = places + tl.program_id(0) * 3
    slot, position = tl.load(place + 1), tl.load(place + 2)
    page = tl.load(page_table + slot * max_pages + position // PAGE)
    own = cache + layer * cache_stride + (page.to(tl.int64) * PAGE + position % PAGE) * WIDTH
    kept = store + layer * store_stride + tl.load(place) * WIDTH
    for start in range(0, WIDTH, BLOCK):
        inner = start + tl.arange(0, BLOCK)
        mask = inner < WIDTH
        if to_slots != 0:
            tl.store(own + inner, tl.load(kept + inner, mask), mask)
        else:
            tl.store(kept + inner, tl.load(own + inner, mask), mask)
