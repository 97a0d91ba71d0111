"""The last inputs of a causal layer: read before a chunk's own, and replaced by the chunk's last.

A chunk's launches read a copy of the state, made by `gather_past` in one launch, and write the
state itself: so programs of one launch can do both, in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.codec.weights import CodecWeights

BLOCK = 1024
"""Elements that a program of `gather_past` copies."""


@dataclass(frozen=True)
class Past:
    """The state of one layer for the rows of a chunk.

    Attributes:
        before: `[B, history, C]`, a copy of the rows' state, with any stride of rows.
        after: `[S, ...]`, a view of every slot's state; the layer says in which order.
        slots: `[B]` int64: which slot each row is.
    """

    before: Tensor
    after: Tensor
    slots: Tensor


def copy_order(weights: CodecWeights) -> Tensor:
    """Return which element of `CodecState.past` each one of a chunk's copy is, `[W]` int32.

    A convolution's state is `[channels, steps]`, and its copy `[steps, channels]`, as launches
    read it.
    """
    orders, start, device = [], 0, weights.tables.device
    for stage in weights.streaming_stages():
        size = math.prod(stage.past_shape)
        elements = torch.arange(start, start + size, dtype=torch.int32, device=device)
        orders.append(elements.view(stage.past_shape).t().flatten())
        start += size
    return torch.cat(orders)


class ChunkState:
    """The states that a chunk's launches read and write, layer by layer.

    Args:
        state: Of all streams, to be advanced.
        slots: `[B]` int64.
        order: From `copy_order`.

    Attributes:
        frames: `[B]` int64: how many frames the rows have had before.
    """

    def __init__(self, state: CodecState, slots: Tensor, order: Tensor) -> None:
        self.frames = state.frames.index_select(0, slots)
        self._state = state
        self._slots = slots
        self._past = gather_past(state.past, slots, order)
        self._key_value = state.key_value.index_select(0, slots)
        self._next = 0

    def take(self, channels: int, history: int) -> Past:
        """Return the next convolution's state, in the order of their use."""
        start, self._next = self._next, self._next + channels * history
        before = self._past[:, start : self._next].unflatten(1, (history, channels))
        return Past(before, self._state.past[:, start : self._next], self._slots)

    def of_layer(self, index: int) -> Past:
        """Return the state of a layer of the transformer."""
        before = self._key_value[:, index].flatten(2)
        return Past(before, self._state.key_value[:, index], self._slots)

    def advance(self, num_frames: int) -> None:
        """Count frames, when all launches are made."""
        self._state.frames.index_copy_(0, self._slots, self.frames + num_frames)


def gather_past(past: Tensor, slots: Tensor, order: Tensor) -> Tensor:
    """Copy the state of some slots in another order: `past[slots][:, order]`, `[B, W]`.

    Moves 2 * B * W numbers of the model's dtype.

    Args:
        past: `[S, W]`.
        slots: `[B]` int64.
        order: `[W]` int32.
    """
    out = torch.empty(len(slots), len(order), dtype=past.dtype, device=past.device)
    grid = len(slots), triton.cdiv(len(order), BLOCK)
    _gather_kernel[grid](past, slots, order, out, past.stride(0), WIDTH=len(order), BLOCK=BLOCK)
    return out


@triton.jit
def _gather_kernel(past, slots, order, out, stride, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """One row, BLOCK elements."""
    row = tl.program_id(0).to(tl.int64)
    index = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = index < WIDTH
    slot = tl.load(slots + row)
    value = tl.load(past + slot * stride + tl.load(order + index, mask, 0), mask, 0.0)
    tl.store(out + row * WIDTH + index, value, mask)


@triton.jit
def load_chunk(x, row, position, channel, mask, steps, channels):
    """Load inputs of the chunk, `[n, m]`; 0 before it. Arguments are those of `load_inputs`."""
    source = x + (row.to(tl.int64) * steps + position) * channels + channel
    return tl.load(source, mask & (position >= 0), 0.0)


@triton.jit
def load_before(before, row, position, channel, mask, before_stride, channels, history):
    """Load inputs from before the chunk, `[n, m]`; 0 in it. Arguments are as of `load_inputs`."""
    source = before + row.to(tl.int64) * before_stride + (position + history) * channels + channel
    return tl.load(source, mask & (position < 0), 0.0)


@triton.jit
def load_inputs(
    x, before, row, position, channel, mask, steps, before_stride, channels, history
):  # fmt: skip
    """Load inputs of a layer, of the chunk or of before it.

    Each place is loaded from both, and masked in one: a choice between pointers would keep loads
    from being wide and asynchronous.

    Args:
        x: `[B, steps, channels]`.
        before: `[B, history, channels]`.
        row: `[n, 1]`, below B.
        position: `[n, 1]`, -`history` to `steps` - 1; negative ones are before the chunk.
        channel: `[1, m]`.
        mask: What there is, `[n, m]` or less.
        steps: Of the chunk.
        before_stride: From one row of `before` to the next.
        channels: Of both.
        history: How many inputs there are before the chunk.
    """
    value = load_chunk(x, row, position, channel, mask, steps, channels)
    old = load_before(before, row, position, channel, mask, before_stride, channels, history)
    return tl.where(position >= 0, value, old)


@triton.jit
def keep_inputs(
    x, before, after, step_stride: tl.constexpr, row, step, channel, mask, steps, before_stride,
    channels, history,
):  # fmt: skip
    """Write the chunk's last `history` inputs to the state, those of some steps and channels.

    Reference: `past.copy_(torch.cat((past, x), -1)[..., -history:])`. A chunk shorter than that
    keeps inputs from before it: they are shared among its steps, by their distance in chunks.

    Args:
        x: As for `load_inputs`; likewise `before`, `steps` and `before_stride`.
        after: `[n, m]`, pointers to the first step of the row's slot and of the channel.
        step_stride: From one step of the state to the next.
        row: `[n, 1]`, below B.
        step: `[n, 1]`: which steps this program has.
        channel: `[1, m]`: which channels.
        mask: Which of both there are.
    """
    for distance in range(0, history, steps):
        index = step + history - steps - distance
        kept = mask & (index >= 0)
        value = load_inputs(
            x, before, row, step - distance, channel, kept, steps, before_stride, channels, history
        )
        tl.store(after + index * step_stride, value, kept)
