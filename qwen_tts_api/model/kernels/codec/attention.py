"""Attention of a chunk's frames to a sliding window: RoPE in one launch, the rest in another."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.codec.weights import CodecTransformer
from qwen_tts_api.model.kernels.codec.past import Past, keep_inputs, load_inputs
from qwen_tts_api.model.kernels.codec.sine import sine_cosine

BLOCK = 32
"""Positions that a program reads at a time."""


def rotate_heads(qkv: Tensor, frames: Tensor, weights: CodecTransformer) -> tuple[Tensor, Tensor]:
    """Apply RoPE to query and key heads; return queries, and keys with values.

    Reference: `layers.rotate` with `layers.rope_tables`, rounded where they round. Moves each head
    once in and once out.

    Args:
        qkv: `[B, n, (H + 2 * H_kv) * head_dim]`.
        frames: `[B]` int64, the position of each row's first.
        weights: The transformer's sizes and frequencies.

    Returns:
        `[B, n, H * head_dim]` and `[B, n, 2 * H_kv * head_dim]`, key heads first.
    """
    rows, steps = qkv.shape[:2]
    query = qkv.new_empty(rows, steps, weights.num_heads * weights.head_dim)
    key_value = qkv.new_empty(rows, steps, 2 * weights.num_kv * weights.head_dim)
    num_heads = weights.num_heads + 2 * weights.num_kv
    _rotate_kernel[(rows * steps,)](
        qkv,
        frames,
        weights.inv_freq,
        query,
        key_value,
        steps,
        HEADS=weights.num_heads,
        KV_HEADS=weights.num_kv,
        HEAD_DIM=weights.head_dim,
        ROWS=triton.next_power_of_2(num_heads),
        DIMS=triton.next_power_of_2(weights.head_dim),
    )
    return query, key_value


def attend_window(
    query: Tensor, key_value: Tensor, frames: Tensor, past: Past, weights: CodecTransformer
) -> Tensor:
    """Attend from each new position to the last ones, its own included: `[B, n, H * head_dim]`.

    Reference: `decoder._sliding_attention` after RoPE; scores and sums are float32, rounded once.
    One program is one position and one key head: it reads `window` keys and values. Which positions
    are summed together depends on their distance alone.

    Args:
        query: `[B, n, H * head_dim]`.
        key_value: `[B, n, 2 * H_kv * head_dim]`.
        frames: `[B]` int64: how many positions a row has had before. There is no key before those.
        past: The keys and values before the chunk, also after it: `[S, window - 1, 2 * H_kv,
            head_dim]`.
        weights: The transformer's sizes.
    """
    rows, steps = query.shape[:2]
    out = torch.empty_like(query)
    group = weights.num_heads // weights.num_kv
    _window_kernel[(rows * steps, weights.num_kv)](
        query,
        key_value,
        frames,
        out,
        past.before,
        past.after,
        past.slots,
        steps,
        past.before.stride(0),
        past.after.stride(0),
        weights.head_dim**-0.5,
        WINDOW=weights.window,
        KV_HEADS=weights.num_kv,
        HEAD_DIM=weights.head_dim,
        GROUP=group,
        ROWS=triton.next_power_of_2(group),
        DIMS=triton.next_power_of_2(weights.head_dim),
        BLOCK=BLOCK,
    )
    return out


@triton.jit(do_not_specialize=["steps"])
def _rotate_kernel(
    qkv, frames, inv_freq, query, key_value, steps, HEADS: tl.constexpr, KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr,
):  # fmt: skip
    """All heads of one position of one row."""
    HALF: tl.constexpr = HEAD_DIM // 2
    dtype = qkv.dtype.element_ty
    index = tl.program_id(0)
    position = tl.load(frames + index // steps) + index % steps
    dims = tl.arange(0, DIMS)[None, :]
    head = tl.arange(0, ROWS)[:, None]
    mask = (head < HEADS + 2 * KV_HEADS) & (dims < HEAD_DIM)
    source = qkv + (index.to(tl.int64) * (HEADS + 2 * KV_HEADS) + head) * HEAD_DIM
    value = tl.load(source + dims, mask, 0.0)
    turned = tl.load(source + (dims + HALF) % HEAD_DIM, mask, 0.0).to(tl.float32)
    angle = position.to(tl.float32) * tl.load(inv_freq + dims % HALF, dims < HEAD_DIM, 0.0)
    sine, cosine = sine_cosine(angle)
    cosine = cosine.to(dtype).to(tl.float32)
    sine = tl.where(dims < HALF, -sine, sine).to(dtype).to(tl.float32)
    first = (value.to(tl.float32) * cosine).to(dtype).to(tl.float32)
    rotated = (first + (turned * sine).to(dtype).to(tl.float32)).to(dtype)
    target = index.to(tl.int64) * HEADS + head
    tl.store(query + target * HEAD_DIM + dims, rotated, mask & (head < HEADS))
    other = tl.where(head < HEADS + KV_HEADS, rotated, value)
    target = index.to(tl.int64) * (2 * KV_HEADS) + head - HEADS
    tl.store(key_value + target * HEAD_DIM + dims, other, mask & (head >= HEADS))


@triton.jit(do_not_specialize=["steps"])
def _window_kernel(
    query, key_value, frames, out, before, after, slots, steps, before_stride, after_stride, scale,
    WINDOW: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, GROUP: tl.constexpr,
    ROWS: tl.constexpr, DIMS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One position of one row, one key head with its query heads."""
    WIDTH: tl.constexpr = 2 * KV_HEADS * HEAD_DIM
    HISTORY: tl.constexpr = WINDOW - 1
    head = tl.program_id(1)
    index = (tl.program_id(0) + tl.arange(0, 1))[:, None]
    row, step = index // steps, index % steps
    group, dims = tl.arange(0, ROWS)[:, None], tl.arange(0, DIMS)[None, :]
    is_dim = dims < HEAD_DIM
    is_query = (group < GROUP) & is_dim
    target = ((index.to(tl.int64) * KV_HEADS + head) * GROUP + group) * HEAD_DIM + dims
    queries = tl.load(query + target, is_query, 0.0).to(tl.float32)
    # How many positions back there is a key: position 0 is the first.
    first = tl.load(frames + tl.program_id(0) // steps) + tl.program_id(0) % steps
    reach = tl.minimum(first, HISTORY)
    key, value = head * HEAD_DIM + dims, (KV_HEADS + head) * HEAD_DIM + dims

    top = tl.full([ROWS], float("-inf"), tl.float32)
    weight = tl.zeros([ROWS], tl.float32)
    total = tl.zeros([ROWS, DIMS], tl.float32)
    # Backwards, from the position itself, so that every block that is read has a key.
    for start in range(0, reach + 1, BLOCK):
        distance = (start + tl.arange(0, BLOCK))[:, None]
        mask = (distance <= reach) & is_dim
        position = step - distance
        keys = load_inputs(
            key_value, before, row, position, key, mask, steps, before_stride, WIDTH, HISTORY
        ).to(tl.float32)
        values = load_inputs(
            key_value, before, row, position, value, mask, steps, before_stride, WIDTH, HISTORY
        ).to(tl.float32)
        scores = tl.sum(queries[:, None, :] * keys[None, :, :], 2) * scale
        seen = start + tl.arange(0, BLOCK) <= reach
        scores = tl.where(seen[None, :], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        shares = tl.exp(scores - higher[:, None])
        shrink = tl.exp(top - higher)
        weight = weight * shrink + tl.sum(shares, 1)
        total = total * shrink[:, None] + tl.sum(shares[:, :, None] * values[None, :, :], 1)
        top = higher
    tl.store(out + target, (total / weight[:, None]).to(out.dtype.element_ty), is_query)

    slot = after + tl.load(slots + row) * after_stride
    keep_inputs(
        key_value, before, slot + key, WIDTH, row, step, key, is_dim, steps, before_stride,
        WIDTH, HISTORY,
    )  # fmt: skip
    keep_inputs(
        key_value, before, slot + value, WIDTH, row, step, value, is_dim, steps, before_stride,
        WIDTH, HISTORY,
    )  # fmt: skip
