"""Attention through a page table, over as many positions as each sequence has: no mask, no bucket.

A sequence is split at multiples of `AttentionTile.split` positions. Programs compute the splits,
and a second kernel joins them in their order: neither the batch nor the place of a page changes a
bit.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.checkpoints.transformer_config import Heads
from qwen_tts_api.model.kernels.key_value import (
    PagedCache,
    Tokens,
    cached_block,
    launch_constants,
    new_key_value,
    norm_and_rotate,
    places,
    store,
)
from qwen_tts_api.model.kernels.tiles import AttentionTile
from qwen_tts_api.model.layers import BlockWeights


class Attention:
    """A layer's attention, with its buffers.

    Args:
        heads: Of the layer.
        cache: Of all layers.
        max_tokens: How many tokens a launch has at most.
        tile: How it is divided into programs.
    """

    def __init__(
        self, heads: Heads, cache: PagedCache, max_tokens: int, tile: AttentionTile
    ) -> None:
        self._cache = cache
        self._tile = tile
        self.num_splits: int = triton.cdiv(cache.max_positions, tile.split)
        group = heads.num_query // heads.num_kv
        self._parts = torch.empty(
            (max_tokens, heads.num_kv, self.num_splits, group, heads.head_dim + 2)
            if self.num_splits > 1
            else 0,
            dtype=torch.float32,
            device=cache.key_value.device,
        )
        # No less than tensor cores multiply.
        self._rows = max(16, triton.next_power_of_2(group))
        self._block = min(tile.block, max(16, triton.next_power_of_2(cache.max_positions)))
        # The next block is being loaded while one is attended to.
        self._stages = 2 if self._block < cache.max_positions else 1
        self._num_kv = heads.num_kv
        self._scale = heads.head_dim**-0.5
        self._constants = launch_constants(heads, cache)

    def attend(
        self,
        qkv: Tensor,
        block: BlockWeights,
        layer: int,
        tokens: Tokens,
        num_tokens: int,
        out: Tensor,
        *,
        writes: bool,
    ) -> None:
        """Attend from tokens to all positions of their slots up to their own.

        Reference: `layers.decoder_layer` from `qkv` to `mixed`, with `layers.attend_cached`; q and
        k rounded after the norm, its weight, both products of RoPE and their sum; the output once.
        Reads the cache once for each token: 2 * (position + 1) * head_dim numbers a key head.

        Args:
            qkv: `[>= num_tokens, (H + 2 * H_kv) * head_dim]`.
            block: Has the norms' weights.
            layer: Its index.
            tokens: Where they belong.
            num_tokens: How many.
            out: `[>= num_tokens, H * head_dim]`, written.
            writes: Write the token's own key and value, too: for one token a slot. Else
                `write_key_value` has written those of all tokens.
        """
        programs = min(self.num_splits, self._tile.programs)
        _attend_kernel[(num_tokens, self._num_kv, programs)](
            qkv,
            block.qk_norm,
            *places(self._cache, layer, tokens),
            self._parts if self.num_splits > 1 else out,
            block.eps,
            self._scale,
            self.num_splits,
            self._tile.split,
            WRITES=writes,
            WHOLE=self.num_splits == 1,
            BLOCK=self._block,
            ROWS=self._rows,
            STAGES=self._stages,
            **self._constants,
        )
        if self.num_splits > 1:
            _join_kernel[(num_tokens, self._num_kv)](
                self._parts,
                tokens.positions,
                out,
                self.num_splits,
                self._tile.split,
                **self._constants,
            )


@triton.jit
def _attend_split(
    query,
    key,
    value,
    cache,
    pages,
    first,
    position,
    split_size,
    scale,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Attend to positions `first` to `first` + `split_size` - 1, at most to the token's own.

    Returns the highest score and the sum of weights, `[ROWS]`, and the sum of weighted values,
    `[ROWS, DIMS]`. The token's own key and value are `key` and `value`; the others are in the
    cache. Weights are multiplied in two numbers of the cache's dtype, which have 16 bits together.
    """
    ROWS: tl.constexpr = query.shape[0]
    dtype = query.dtype
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    has_own = position < first + split_size
    own_score = tl.sum(query.to(tl.float32) * key.to(tl.float32), 1) * scale
    top = tl.where(has_own, own_score, float("-inf"))
    weight = tl.where(has_own, tl.full([ROWS], 1.0, tl.float32), 0.0)
    total = tl.where(has_own, tl.zeros_like(query).to(tl.float32) + value.to(tl.float32), 0.0)
    end = tl.minimum(first + split_size, position)
    for block in tl.range(first, end, BLOCK, num_stages=STAGES):
        stored = block + tl.arange(0, BLOCK) < end
        source = cached_block(cache, pages, block, stored, KV_HEADS, HEAD_DIM, PAGE, BLOCK)
        mask = stored[:, None] & (dims < HEAD_DIM)
        keys = tl.load(source + dims, mask, 0.0)
        values = tl.load(source + KV_HEADS * HEAD_DIM + dims, mask, 0.0)
        scores = tl.dot(query, tl.trans(keys), input_precision="ieee") * scale
        scores = tl.where(stored[None, :], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        shares, shrink = tl.exp(scores - higher[:, None]), tl.exp(top - higher)
        weight = weight * shrink + tl.sum(shares, 1)
        rounded = shares.to(dtype)
        total = tl.dot(rounded, values, total * shrink[:, None], input_precision="ieee")
        if dtype != tl.float32:
            rest = (shares - rounded.to(tl.float32)).to(dtype)
            total = tl.dot(rest, values, total, input_precision="ieee")
        top = higher
    return top, weight, total


@triton.jit(do_not_specialize=["max_pages", "num_splits", "split_size"])  # no reason to compile
def _attend_kernel(
    qkv,
    norms,
    cos,
    sin,
    slots,
    positions,
    cache,
    page_table,
    max_pages,
    out,
    eps,
    scale,
    num_splits,
    split_size,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
    WRITES: tl.constexpr,
    WHOLE: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """One token, one key head, every n-th split of `Attention.attend`.

    `out` is `[N, H, head_dim]` where one split is all (WHOLE), else float32 parts `[N, H_kv,
    num_splits, H / H_kv, head_dim + 2]`: the sum of weighted values, the highest score, the sum of
    weights.
    """
    token, head = tl.program_id(0), tl.program_id(1)
    position = tl.load(positions + token).to(tl.int32)
    if (position < 0) | (tl.program_id(2) * split_size > position):
        return
    GROUP: tl.constexpr = HEADS // KV_HEADS
    group = tl.arange(0, ROWS)[:, None]
    pages = page_table + tl.load(slots + token).to(tl.int32) * max_pages
    qkv += token * ((HEADS + 2 * KV_HEADS) * HEAD_DIM)
    cache += head * HEAD_DIM
    heads = (head * GROUP + group) * HEAD_DIM
    query = norm_and_rotate(
        qkv + heads, norms + heads, cos, sin, position, eps, group < GROUP, HEAD_DIM
    )
    key, value = new_key_value(qkv, norms, cos, sin, position, head, eps, HEADS, KV_HEADS, HEAD_DIM)
    if WRITES:  # noqa: SIM102  (a constant, then a number)
        if tl.program_id(2) == 0:
            store(cache, pages, position, key, value, KV_HEADS, HEAD_DIM, PAGE)
    for split in range(tl.program_id(2), position // split_size + 1, tl.num_programs(2)):
        top, weight, total = _attend_split(
            query, key, value, cache, pages, split * split_size, position, split_size, scale,
            KV_HEADS, HEAD_DIM, PAGE, BLOCK, STAGES,
        )  # fmt: skip
        row = (token * KV_HEADS + head) * num_splits + split
        _store_split(out, row, top, weight, total, GROUP, HEAD_DIM, WHOLE)


@triton.jit
def _store_split(
    out,
    row,
    top,
    weight,
    total,
    GROUP: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    WHOLE: tl.constexpr,
):
    """Store the result of one split, or of all where it is the only one; `row` has GROUP heads."""
    group = tl.arange(0, total.shape[0])
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    is_head = group < GROUP
    mask = is_head[:, None] & (dims < HEAD_DIM)
    if WHOLE:
        target = out + (row * GROUP + group)[:, None] * HEAD_DIM + dims
        tl.store(target, (total / weight[:, None]).to(out.dtype.element_ty), mask)
    else:
        target = out + (row * GROUP + group) * (HEAD_DIM + 2)
        tl.store(target[:, None] + dims, total, mask)
        tl.store(target + HEAD_DIM, top, is_head)
        tl.store(target + HEAD_DIM + 1, weight, is_head)


@triton.jit(do_not_specialize=["num_splits", "split_size"])
def _join_kernel(
    parts,
    positions,
    out,
    num_splits,
    split_size,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    PAGE: tl.constexpr,
):
    """One token, one key head: join the splits that the token has, in their order."""
    token, head = tl.program_id(0), tl.program_id(1)
    GROUP: tl.constexpr = HEADS // KV_HEADS
    group = tl.arange(0, triton.next_power_of_2(GROUP))
    dims = tl.arange(0, triton.next_power_of_2(HEAD_DIM))[None, :]
    is_head = group < GROUP
    mask = is_head[:, None] & (dims < HEAD_DIM)
    position = tl.load(positions + token).to(tl.int32)
    if position < 0:
        return
    top = tl.full([group.shape[0]], float("-inf"), tl.float32)
    weight = tl.zeros([group.shape[0]], tl.float32)
    total = tl.zeros([group.shape[0], dims.shape[1]], tl.float32)
    for split in range(0, position // split_size + 1):
        part = ((token * KV_HEADS + head) * num_splits + split) * GROUP + group
        source = parts + part * (HEAD_DIM + 2)
        part_top = tl.load(source + HEAD_DIM, is_head, 0.0)
        higher = tl.maximum(top, part_top)
        shrink, grow = tl.exp(top - higher), tl.exp(part_top - higher)
        weight = weight * shrink + tl.load(source + HEAD_DIM + 1, is_head, 1.0) * grow
        values = tl.load(source[:, None] + dims, mask, 0.0)
        total = total * shrink[:, None] + values * grow[:, None]
        top = higher
    target = out + (token * HEADS + head * GROUP + group)[:, None] * HEAD_DIM + dims
    tl.store(target, (total / weight[:, None]).to(out.dtype.element_ty), mask)
