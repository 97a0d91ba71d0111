"""A depthwise convolution and its LayerNorm, in one launch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.kernels.codec.past import Past, keep_inputs, load_inputs


def depthwise_norm(
    x: Tensor, weight: Tensor, bias: Tensor, norm: tuple[Tensor, Tensor], eps: float, past: Past
) -> Tensor:
    """Convolve each channel causally by itself, then normalise each step.

    Reference: `decoder._convolve` with as many groups as channels, then `functional.layer_norm`;
    rounded after each. A program has all channels of a step; it reads the inputs of all taps, but
    of the first from the L2 cache.

    Args:
        x: `[B, T, C]`, contiguous.
        weight: `[taps, C]`, the latest tap last.
        bias: `[C]`.
        norm: Weight and bias of LayerNorm, `[C]`.
        eps: Of LayerNorm.
        past: The inputs before the chunk; `[S, C, history]` after it.
    """
    taps, channels = weight.shape
    out = torch.empty_like(x)
    _depthwise_kernel[(x.shape[0] * x.shape[1],)](
        x,
        weight,
        bias,
        *norm,
        out,
        past.before,
        past.after,
        past.slots,
        x.shape[1],
        past.before.stride(0),
        past.after.stride(0),
        eps,
        CHANNELS=channels,
        TAPS=taps,
        BLOCK=triton.next_power_of_2(channels),
    )
    return out


@triton.jit(do_not_specialize=["steps"])
def _depthwise_kernel(
    x, weight, bias, norm_weight, norm_bias, out, before, after, slots,
    steps, before_stride, after_stride, eps,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """All channels of one step of one row."""
    HISTORY: tl.constexpr = TAPS - 1
    dtype = x.dtype.element_ty
    index = (tl.program_id(0) + tl.arange(0, 1))[:, None]
    row, step = index // steps, index % steps
    channel = tl.arange(0, BLOCK)[None, :]
    mask = channel < CHANNELS
    total = tl.load(bias + channel, mask, 0.0).to(tl.float32)
    for tap in tl.static_range(TAPS):
        position = step - HISTORY + tap
        value = load_inputs(
            x, before, row, position, channel, mask, steps, before_stride, CHANNELS, HISTORY
        ).to(tl.float32)
        total += value * tl.load(weight + tap * CHANNELS + channel, mask, 0.0).to(tl.float32)
    total = total.to(dtype).to(tl.float32)
    centred = tl.where(mask, total - tl.sum(total, 1, keep_dims=True) / CHANNELS, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 1, keep_dims=True) / CHANNELS + eps)
    normed = centred * scale * tl.load(norm_weight + channel, mask, 0.0).to(tl.float32)
    normed += tl.load(norm_bias + channel, mask, 0.0).to(tl.float32)
    tl.store(out + index.to(tl.int64) * CHANNELS + channel, normed.to(dtype), mask)
    target = after + tl.load(slots + row) * after_stride + channel * HISTORY
    keep_inputs(
        x, before, target, 1, row, step, channel, mask, steps, before_stride, CHANNELS, HISTORY
    )
