"""Causal convolutions over `[B, T, C]`, with all that is done to their outputs, in one launch each.

A convolution is a matrix product whose rows are steps and whose inner dimension is taps times
channels; the inputs of a tap are loaded from where they are, so that nothing is copied. Three other
layers are the same: a linear layer is a convolution of one tap; a transposed convolution is one of
one or two taps, which makes `stride` steps of each.

Sums are float32, in steps of `Tile.inner` of one tap after the other. Nothing in them depends on
the rows of the batch or on where a chunk begins, so a sample is the same to the last bit in any
company and however its frames are divided into chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.codec.weights import Convolution, Snake, Upsampling
from qwen_tts_api.model.kernels.codec.past import Past, keep_inputs, load_before, load_chunk
from qwen_tts_api.model.kernels.codec.sine import sine_cosine
from qwen_tts_api.model.kernels.tiles import Tile

PCM_SCALE = tl.constexpr(32767.0)
SQRT_HALF = tl.constexpr(0.7071067811865476)


@dataclass(frozen=True)
class Filter:
    """A convolution's weights, in the order in which its programs read them.

    Attributes:
        weight: `[C, kernel, in]`.
        bias: `[out]`; None: none.
        dilation: Of the taps.
        stride: Of a transposed convolution: it makes `out = stride * C` channels of each input
            step, those of the first output step first. None: C are made, by an ordinary one.
    """

    weight: Tensor
    bias: Tensor | None
    dilation: int = 1
    stride: int | None = None

    @property
    def out_channels(self) -> int:
        """How many channels are made of each input step."""
        return self.weight.shape[0] * (self.stride or 1)

    @property
    def taps(self) -> int:
        """How many input steps each output is made of, the latest tap last."""
        return self.weight.shape[1] // (self.stride or 1)

    @property
    def past_shape(self) -> tuple[int, int]:
        """As the layer's: channels and steps of the last inputs."""
        return self.weight.shape[2], (self.taps - 1) * self.dilation

    @classmethod
    def of(cls, layer: Convolution | Upsampling) -> Filter:
        """Take over a layer's weights: a copy, unless they are stored with channels last."""
        if isinstance(layer, Convolution):
            return cls(layer.weight.transpose(1, 2).contiguous(), layer.bias, layer.dilation)
        # Output step r of an input step has element r of the kernel, and of the input step before,
        # element r + stride.
        missing = -layer.weight.shape[2] % layer.stride
        weight = functional.pad(layer.weight, (0, missing)) if missing else layer.weight
        weight = weight.permute(1, 2, 0).contiguous()
        return cls(weight, layer.bias.repeat(layer.stride), stride=layer.stride)

    @classmethod
    def linear(cls, weight: Tensor, bias: Tensor | None = None) -> Filter:
        """Take a linear layer `[out, in]` for a convolution."""
        return cls(weight.unsqueeze(1), bias)

    def strides(self) -> tuple[int, int, int, int]:
        """Return where an output channel `r * C + c` has tap t, in rows of `[C * kernel, in]`.

        That is `c * kernel + first + r + t * step`; the result is C, kernel, first, step.
        """
        channels, kernel, _ = self.weight.shape
        if self.stride is None:
            return channels, kernel, 0, 1
        return channels, kernel, kernel - self.stride, -self.stride


@dataclass(frozen=True)
class Wave:
    """Snake for the outputs of a filter, both `[out]`."""

    frequency: Tensor
    amount: Tensor

    @classmethod
    def of(cls, snake: Snake, repeats: int = 1) -> Wave:
        """Take over Snake; `repeats` is the stride of the transposed convolution before it."""
        return cls(
            snake.frequency.flatten().repeat(repeats), snake.amount.flatten().repeat(repeats)
        )


def convolve(
    x: Tensor,
    layer: Filter,
    tile: Tile,
    past: Past | None = None,
    *,
    gelu: bool = False,
    scale: Tensor | None = None,
    residual: Tensor | None = None,
    kept: Tensor | None = None,
    wave: Wave | None = None,
    pcm: bool = False,
) -> Tensor:
    """Convolve causally, `[B, T, in]` to `[B, T, out]`.

    Reference: `decoder._convolve` or `_upsample`, then in this order `functional.gelu`, `* scale`,
    `residual +`, `decoder._snake`; rounded to the dtype after each of them (Snake once, where the
    plain one rounds after each operator). Reads the weights once for every `tile.rows` steps, the
    inputs once for every `tile.columns` channels of the output (mostly from the L2 cache: programs
    of the same steps run at the same time).

    Args:
        x: `[B, T, in]`, contiguous.
        layer: The weights.
        tile: How the output is divided into programs.
        past: The inputs before the chunk, `[S, in, history]` after it; None for one tap.
        gelu: Apply GELU.
        scale: `[out]`, what the result is multiplied with.
        residual: `[B, T, out]`, what is added.
        kept: `[B, T, out]`, written: the sum, before Snake; may be `residual`.
        wave: Snake.
        pcm: Return int16 instead, clamped: 1 is 32,767.
    """
    out_channels, taps, channels = layer.out_channels, layer.taps, layer.weight.shape[2]
    dtype = torch.int16 if pcm else x.dtype
    out = torch.empty(*x.shape[:2], out_channels, dtype=dtype, device=x.device)
    num_steps = x.shape[0] * x.shape[1]
    tile = tile.for_rows(num_steps)
    columns = triton.cdiv(out_channels, tile.columns)
    snake = (wave.frequency, wave.amount) if wave else (None, None)
    past = past if taps > 1 else None
    state = (past.before, past.after, past.slots) if past else (None, None, None)
    strides = (past.before.stride(0), past.after.stride(0)) if past else (0, 0)
    _convolution_kernel[(triton.cdiv(num_steps, tile.rows) * columns,)](
        x,
        *(layer.weight, layer.bias, scale, residual, kept, *snake),
        out,
        *state,
        num_steps,
        x.shape[1],
        *strides,
        channels,
        out_channels,
        layer.dilation,
        *layer.strides(),
        TAPS=taps,
        GELU=gelu,
        **tile.options(),
    )
    return out


# Sizes are arguments: as constants they would be 30 kernels to compile instead of 10.
@triton.jit(
    do_not_specialize=[
        "num_steps", "steps", "dilation", "weight_channels", "kernel", "first", "tap_step",
    ]
)  # fmt: skip
def _convolution_kernel(
    x, weight, bias, scale, residual, kept, frequency, amount, out,
    before, after, slots, num_steps, steps, before_stride, after_stride,
    in_channels, out_channels, dilation, weight_channels, kernel, first, tap_step,
    TAPS: tl.constexpr, GELU: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """One tile of `convolve`; steps of all rows of the batch are numbered through."""
    history = (TAPS - 1) * dilation
    tiles = tl.cdiv(out_channels, COLUMNS)
    column = tl.program_id(0) % tiles
    index = (tl.program_id(0) // tiles * ROWS + tl.arange(0, ROWS))[:, None]
    is_step = index < num_steps
    if TAPS == 1:  # where a row begins does not matter
        row, step = tl.zeros_like(index), index
    else:
        row, step = index // steps, index % steps
    cols = (column * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    filters = (cols % weight_channels * kernel + first + cols // weight_channels) * in_channels

    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    if before is not None:
        # Most tiles need nothing of before the chunk. What they do comes first, and is 0 where the
        # chunk has an input: so each sum has the same order wherever a chunk begins.
        begin = tl.program_id(0) // tiles * ROWS
        end = tl.minimum(begin + ROWS, num_steps) - 1
        is_whole = (begin % steps >= history) & (begin // steps == end // steps)
        total = _add_products(
            total, None, before, row, step, is_step, weight, filters, cols, steps, before_stride,
            in_channels, out_channels, dilation, tap_step, tl.where(is_whole, 0, TAPS), TAPS, INNER,
        )  # fmt: skip
    total = _add_products(
        total, x, None, row, step, is_step, weight, filters, cols, steps, before_stride,
        in_channels, out_channels, dilation, tap_step, TAPS, TAPS, INNER,
    )  # fmt: skip

    target, mask = index.to(tl.int64) * out_channels + cols, is_step & (cols < out_channels)
    total = _finished(
        total, bias, scale, residual, kept, frequency, amount, target, cols, mask,
        x.dtype.element_ty, out_channels, GELU,
    )  # fmt: skip
    if out.dtype.element_ty == tl.int16:
        clamped = tl.minimum(tl.maximum(total, -1.0), 1.0)
        total = tl.floor(clamped * PCM_SCALE + 0.5)
    tl.store(out + target, total.to(out.dtype.element_ty), mask)

    if before is not None:
        slot = tl.load(slots + row, is_step, 0)
        # Programs of the same steps share the channels, a few at a time: pointers take registers.
        KEPT: tl.constexpr = 16
        for part in range(column, tl.cdiv(in_channels, KEPT), tiles):
            channel = (part * KEPT + tl.arange(0, KEPT))[None, :]
            keep_inputs(
                x, before, after + slot * after_stride + channel * history, 1, row, step, channel,
                is_step & (channel < in_channels), steps, before_stride, in_channels, history,
            )  # fmt: skip


@triton.jit
def _add_products(
    total, x, before, row, step, is_step, weight, filters, cols, steps, before_stride, in_channels,
    out_channels, dilation, tap_step, num_taps, TAPS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Add the products of the chunk's inputs, or of those `before`, by the first `num_taps`."""
    history = (TAPS - 1) * dilation
    tap, start = 0, 0
    for _ in range(0, num_taps * tl.cdiv(in_channels, INNER)):
        inner = (start + tl.arange(0, INNER))[None, :]
        position, mask = step - history + tap * dilation, is_step & (inner < in_channels)
        if before is None:
            value = load_chunk(x, row, position, inner, mask, steps, in_channels)
        else:
            value = load_before(
                before, row, position, inner, mask, before_stride, in_channels, history
            )
        inner = (start + tl.arange(0, INNER))[:, None]
        source = weight + filters + tap * tap_step * in_channels + inner
        mask = (inner < in_channels) & (cols < out_channels)
        total = tl.dot(value, tl.load(source, mask, 0.0), total, input_precision="ieee")
        start += INNER
        if TAPS > 1:
            tap = tl.where(start < in_channels, tap, tap + 1)
            start = tl.where(start < in_channels, start, 0)
    return total


@triton.jit
def _finished(
    total, bias, scale, residual, kept, frequency, amount, target, cols, mask,
    dtype: tl.constexpr, out_channels, GELU: tl.constexpr,
):  # fmt: skip
    """Do to a tile what is done to the outputs; return it in float32, not yet rounded."""
    is_col = cols < out_channels
    if bias is not None:
        total += tl.load(bias + cols, is_col, 0.0).to(tl.float32)
    else:  # else the assembler for Hopper lets each product of the loop wait for the one before
        total += 0.0
    if GELU:
        rounded = total.to(dtype).to(tl.float32)
        total = 0.5 * rounded * (1.0 + tl.erf(rounded * SQRT_HALF))
    if scale is not None:
        factor = tl.load(scale + cols, is_col, 0.0).to(tl.float32)
        total = total.to(dtype).to(tl.float32) * factor
    if residual is not None:
        total = total.to(dtype).to(tl.float32) + tl.load(residual + target, mask, 0.0)
    if kept is not None:
        tl.store(kept + target, total.to(dtype), mask)
    if frequency is not None:
        rounded = total.to(dtype).to(tl.float32)
        angle = rounded * tl.load(frequency + cols, is_col, 0.0).to(tl.float32)
        wave, _ = sine_cosine(angle)
        total = rounded + wave * wave * tl.load(amount + cols, is_col, 0.0).to(tl.float32)
    return total
