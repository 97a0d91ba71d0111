"""New keys and values: their norm, RoPE, and place in the cache's pages."""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.checkpoints.transformer_config import Heads
from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.layers import BlockWeights, Rope


@dataclass(frozen=True)
class PagedCache:
    """Keys and values in pages, and where each slot's pages are.

    Attributes:
        key_value: `[L, P, PAGE, 2 * H_kv, head_dim]`; at each position the key heads come first.
        page_table: `[R, MAX_PAGES]` int32: which page has positions n * PAGE and on of a slot.
        rope: Tables of MAX_PAGES * PAGE positions.
    """

    key_value: Tensor
    page_table: Tensor
    rope: Rope

    @property
    def max_positions(self) -> int:
        """How many positions a slot has."""
        return self.rope.cos.shape[0]


def talker_pages(state: FrameState) -> PagedCache:
    """Return the talker's cache."""
    cache = state.talker_cache
    return PagedCache(cache.key_value, cache.page_table, cache.rope)


@dataclass(frozen=True)
class Tokens:
    """Where the tokens of a launch belong.

    Attributes:
        slots: `[N]` int64: rows of the page table.
        positions: `[N]` int64; -1 where there is no token: nothing is read or written for it.
    """

    slots: Tensor
    positions: Tensor


def launch_constants(heads: Heads, cache: PagedCache) -> dict[str, int]:
    """Return the constants and options of a launch that reads or writes the cache."""
    return {
        "HEADS": heads.num_query,
        "KV_HEADS": heads.num_kv,
        "HEAD_DIM": heads.head_dim,
        "PAGE": cache.key_value.shape[2],
        "enable_fp_fusion": False,
    }


def places(cache: PagedCache, layer: int, tokens: Tokens) -> tuple[Tensor | int, ...]:
    """Return RoPE's tables, where tokens belong, a layer's cache, the page table and its width."""
    return (
        cache.rope.cos,
        cache.rope.sin,
        tokens.slots,
        tokens.positions,
        cache.key_value[layer],
        cache.page_table,
        cache.page_table.shape[1],
    )


def write_key_value(
    qkv: Tensor,
    block: BlockWeights,
    heads: Heads,
    cache: PagedCache,
    layer: int,
    tokens: Tokens,
    num_tokens: int,
) -> None:
    """Write keys and values of tokens to the cache, for attention that reads those of others.

    Reference: in `layers.decoder_layer`, k_norm and RoPE; `index_copy_` into the cache.

    Args:
        qkv: `[>= num_tokens, (H + 2 * H_kv) * head_dim]`.
        block: Has the norm's weight.
        heads: Of the layer.
        cache: Of all layers.
        layer: Its index.
        tokens: Where they belong; no two at one position of a slot.
        num_tokens: How many.
    """
    _write_kernel[(num_tokens, heads.num_kv)](
        qkv,
        block.qk_norm,
        *places(cache, layer, tokens),
        block.eps,
        **launch_constants(heads, cache),
    )


@triton.jit
def norm_and_rotate(base, norms, cos, sin, position, eps, mask, HEAD_DIM: tl.constexpr):
    """Return heads after their RMSNorm and RoPE, `[n, DIMS]`; `base`, `norms`: `[n, 1]` pointers.

    The halves are swapped by loading each head once more, turned. `sin` has rotate_half's sign.
    """
    dtype = base.dtype.element_ty
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    mask = mask & (dims < HEAD_DIM)
    turned = (dims + HEAD_DIM // 2) % HEAD_DIM
    head = tl.load(base + dims, mask, 0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(head * head, 1) / HEAD_DIM + eps)[:, None]
    normed = (tl.load(norms + dims, mask, 0.0) * (head * scale).to(dtype)).to(dtype)
    head = tl.load(base + turned, mask, 0.0).to(tl.float32)
    swapped = (tl.load(norms + turned, mask, 0.0) * (head * scale).to(dtype)).to(dtype)
    table = position * HEAD_DIM + dims
    cosine = tl.load(cos + table, dims < HEAD_DIM, 0.0)
    sine = tl.load(sin + table, dims < HEAD_DIM, 0.0)
    # In float32, so that no multiplication is fused with the addition.
    first = (normed * cosine).to(dtype).to(tl.float32)
    second = (swapped * sine).to(dtype).to(tl.float32)
    return (first + second).to(dtype)


@triton.jit
def new_key_value(
    qkv,
    norms,
    cos,
    sin,
    position,
    head,
    eps,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
):
    """Return a token's key and value of one key head, `[1, DIMS]` each; `qkv` points to it."""
    zero = tl.arange(0, 1)[:, None]
    base = qkv + (HEADS + head) * HEAD_DIM + zero
    weight = norms + (HEADS + head) * HEAD_DIM + zero
    key = norm_and_rotate(base, weight, cos, sin, position, eps, zero == 0, HEAD_DIM)
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    return key, tl.load(base + KV_HEADS * HEAD_DIM + dims, dims < HEAD_DIM, 0.0)


@triton.jit
def cached(
    cache,
    pages,
    index,
    mask,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """Return pointers `[n, 1]` to where a layer's cache has a slot's positions `index` `[n]`.

    `pages` points to the slot's row of the page table; `mask` `[n]` says which are there.
    """
    page = tl.load(pages + index // PAGE, mask, 0).to(tl.int64)
    return (cache + (page * PAGE + index % PAGE) * (2 * KV_HEADS * HEAD_DIM))[:, None]


@triton.jit
def cached_block(
    cache,
    pages,
    first,
    mask,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Return pointers `[BLOCK, 1]` to positions from `first` on, a multiple of BLOCK that is there.

    Else as `cached`. Where a page has whole blocks, its number is loaded once.
    """
    index = tl.arange(0, BLOCK)
    if PAGE % BLOCK == 0:
        page = tl.load(pages + first // PAGE).to(tl.int64)
        cache += (page * PAGE + first % PAGE) * (2 * KV_HEADS * HEAD_DIM)
        return (cache + index * (2 * KV_HEADS * HEAD_DIM))[:, None]
    else:
        return cached(cache, pages, first + index, mask, KV_HEADS, HEAD_DIM, PAGE)


@triton.jit
def store(
    cache,
    pages,
    position,
    key,
    value,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """Write one key head's key and value, `[1, DIMS]` each; `cache` points to the head."""
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    index = position + tl.arange(0, 1)
    target = cached(cache, pages, index, index >= 0, KV_HEADS, HEAD_DIM, PAGE)
    tl.store(target + dims, key, dims < HEAD_DIM)
    tl.store(target + KV_HEADS * HEAD_DIM + dims, value, dims < HEAD_DIM)


@triton.jit(do_not_specialize=["max_pages"])  # settings are no reason to compile again
def _write_kernel(
    qkv,
    norms,
    cos,
    sin,
    slots,
    positions,
    cache,
    page_table,
    max_pages,
    eps,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """One token, one key head of `write_key_value`."""
    token, head = tl.program_id(0), tl.program_id(1)
    position = tl.load(positions + token).to(tl.int32)
    if position < 0:
        return
    qkv += token * ((HEADS + 2 * KV_HEADS) * HEAD_DIM)
    key, value = new_key_value(qkv, norms, cos, sin, position, head, eps, HEADS, KV_HEADS, HEAD_DIM)
    pages = page_table + tl.load(slots + token).to(tl.int32) * max_pages
    store(cache + head * HEAD_DIM, pages, position, key, value, KV_HEADS, HEAD_DIM, PAGE)
