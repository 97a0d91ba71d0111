"""Codes to samples, a few frames at a time, with the samples of one long decode.

The decoder is causal, so a stream needs no context to be decoded again, only what its layers would
look back at: the last inputs of each convolution, the part of each transposed convolution's output
that reaches into the next chunk, and the transformer's last 71 keys and values. A stream is a slot
of `CodecState`; a chunk of any slots, each wherever it is, is one call.

Source: upstream's `Qwen3TTSTokenizerV2Decoder.forward`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.codec.weights import (
    CodecLayer,
    CodecTransformer,
    CodecWeights,
    ConvNeXt,
    Convolution,
    ResidualUnit,
    Snake,
    Upsampling,
)
from qwen_tts_api.model.layers import Rope, rms_norm, rope_tables, rotate
from qwen_tts_api.model.placement import zeros


@dataclass(frozen=True)
class CodecState:
    """What streams remember, allocated once, updated in place.

    Attributes:
        past: `[slots, W]` in the model's dtype: every convolution's past, one after the other.
        key_value: `[slots, L, window - 1, 2 * H_kv, head_dim]`: the last positions, oldest first.
        frames: `[slots]` int64: how many frames the stream has decoded.
    """

    past: Tensor
    key_value: Tensor
    frames: Tensor

    @classmethod
    def allocate(cls, weights: CodecWeights, num_slots: int) -> CodecState:
        """Return `num_slots` streams that begin: 5 MB each as published, in 32 bits."""
        transformer, device = weights.transformer, weights.tables.device
        width = sum(math.prod(stage.past_shape) for stage in weights.streaming_stages())
        heads = (2 * transformer.num_kv, transformer.head_dim)
        shape = (num_slots, len(transformer.layers), transformer.window - 1, *heads)
        return cls(
            past=zeros((num_slots, width), weights.dtype, device),
            key_value=zeros(shape, weights.dtype, device),
            frames=torch.zeros(num_slots, dtype=torch.int64, device=device),
        )

    def reset(self, slot: int) -> None:
        """Let a stream begin anew.

        Its old keys and values lie before frame 0, which none sees; but 0 times NaN is NaN.
        """
        self.past[slot].fill_(0)
        self.key_value[slot].fill_(0)
        self.frames[slot].fill_(0)

    def put(self, slot: int, stream: CodecState) -> None:
        """Let a stream go on from where another state's only one is."""
        self.past[slot] = stream.past[0]
        self.key_value[slot] = stream.key_value[0]
        self.frames[slot] = stream.frames[0]


class _Pasts:
    """The pasts of a batch's convolutions, handed out in the order in which they are used."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self._next = 0

    def take(self, shape: tuple[int, int]) -> Tensor:
        """Return the next past `[B, channels, steps]`, a view to be overwritten."""
        start, self._next = self._next, self._next + math.prod(shape)
        past: Tensor = self._rows[:, start : self._next].unflatten(1, shape)
        return past


def decode_chunk(weights: CodecWeights, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
    """Decode the next frames of some streams.

    Args:
        weights: The decoder's.
        state: Moved on by n frames in `slots`; no other slot is touched.
        codes: `[B, n, G]` int64, from 0 to the codebook's size.
        slots: `[B]` int64: whose frames these are. Distinct, but for one that nobody reads and that
            fills up a batch.

    Returns:
        `[B, n * samples_per_frame]` in the model's dtype, from -1 to 1: whatever the chunks, the
        samples of one decode of all frames.
    """
    rows, key_value = state.past.index_select(0, slots), state.key_value.index_select(0, slots)
    frames = state.frames.index_select(0, slots)
    pasts = _Pasts(rows)
    x = _vocode(weights, _understand(weights, codes, pasts, key_value, frames), pasts)
    state.past.index_copy_(0, slots, rows)
    state.key_value.index_copy_(0, slots, key_value)
    state.frames.index_copy_(0, slots, frames + codes.shape[1])
    return x.squeeze(1).clamp(-1, 1)


def stream_after(weights: CodecWeights, codes: Tensor) -> CodecState:
    """Return a stream that has decoded `codes`, `[n, G]` int64, without making their samples.

    The transformer must see all frames, at one step each; the convolutions, which cost nearly
    everything, forget all but the last few.
    """
    stream = CodecState.allocate(weights, 1)
    pasts = _Pasts(stream.past)
    x = _understand(weights, codes.unsqueeze(0), pasts, stream.key_value, stream.frames)
    _vocode(weights, x[..., -weights.vocoder_reach_frames :], pasts)
    stream.frames.fill_(codes.shape[0])
    return stream


def _understand(
    weights: CodecWeights, codes: Tensor, pasts: _Pasts, key_value: Tensor, frames: Tensor
) -> Tensor:
    """Turn codes `[B, n, G]` into what the vocoder reads, `[B, C, n]`."""
    quantised = functional.embedding(codes + weights.table_starts, weights.tables).sum(2)
    x = _convolve(quantised.to(weights.dtype).transpose(1, 2), weights.pre_conv, pasts)
    return _transform(x.transpose(1, 2), weights.transformer, key_value, frames).transpose(1, 2)


def _vocode(weights: CodecWeights, x: Tensor, pasts: _Pasts) -> Tensor:
    """Turn `[B, C, n]` into samples `[B, 1, n * samples_per_frame]`."""
    for upsampling, convnext in weights.upsample:
        x = _mix(_upsample(x, upsampling, pasts), convnext, pasts)
    x = _convolve(x, weights.conv_in, pasts)
    for snake, upsampling, units in weights.blocks:
        x = _upsample(_activate(x, snake), upsampling, pasts)
        for unit in units:
            x = x + _residual(x, unit, pasts)
    return _convolve(_activate(x, weights.snake_out), weights.conv_out, pasts)


def _convolve(x: Tensor, conv: Convolution, pasts: _Pasts) -> Tensor:
    """Convolve `[B, in, T]` causally to `[B, out, T]`."""
    channels, history = conv.past_shape
    if history:
        past = pasts.take((channels, history))
        x = torch.cat((past, x), -1)
        past.copy_(x[..., -history:])
    return functional.conv1d(x, conv.weight, conv.bias, dilation=conv.dilation, groups=conv.groups)


def _upsample(x: Tensor, upsampling: Upsampling, pasts: _Pasts) -> Tensor:
    """Upsample `[B, in, T]` to `[B, out, T * stride]`.

    The bias goes on once: to the outputs, and not to the part of them that is kept for later.
    """
    stride, weight = upsampling.stride, upsampling.weight
    channels, overlap = upsampling.past_shape
    x = functional.conv_transpose1d(x, weight, upsampling.bias, stride=stride)
    if not overlap:
        return x
    past = pasts.take((channels, overlap))
    x[..., :overlap] += past
    torch.sub(x[..., -overlap:], upsampling.bias.unsqueeze(-1), out=past)
    return x[..., :-overlap]


def _activate(x: Tensor, snake: Snake) -> Tensor:
    """Apply SnakeBeta to `[B, C, T]`."""
    wave = (x * snake.frequency).sin_().square_().mul_(snake.amount)
    return wave.add_(x)


def _residual(x: Tensor, unit: ResidualUnit, pasts: _Pasts) -> Tensor:
    """Return what a residual unit adds to `[B, C, T]`."""
    x = _convolve(_activate(x, unit.snake_1), unit.dilated, pasts)
    return _convolve(_activate(x, unit.snake_2), unit.pointwise, pasts)


def _mix(x: Tensor, weights: ConvNeXt, pasts: _Pasts) -> Tensor:
    """Run a ConvNeXt block over `[B, C, T]`."""
    y = _convolve(x, weights.depthwise, pasts).transpose(1, 2)
    y = functional.layer_norm(y, y.shape[-1:], *weights.norm, weights.eps)
    y = functional.linear(functional.gelu(functional.linear(y, *weights.expand)), *weights.contract)
    return x + (weights.gamma * y).transpose(1, 2)


def _transform(x: Tensor, weights: CodecTransformer, cached: Tensor, frames: Tensor) -> Tensor:
    """Run the transformer over `[B, n, C]`, positions `frames` and on; moves `cached` on."""
    num_rows, num_new = x.shape[:2]
    positions = frames.unsqueeze(-1) + torch.arange(num_new, device=x.device)
    rope = rope_tables(weights.inv_freq, positions, x.dtype)
    mask = _window_mask(frames, num_new, weights.window, x.dtype)
    x = functional.linear(x, *weights.input)
    for index, layer in enumerate(weights.layers):
        normed = rms_norm(x, layer.input_norm, weights.eps)
        heads = functional.linear(normed, layer.qkv).view(num_rows, num_new, -1, weights.head_dim)
        mixed = _attend(heads, weights, rope, cached[:, index], mask)
        x = x + layer.attention_scale * functional.linear(mixed, layer.output)
        x = x + layer.mlp_scale * _feed_forward(
            rms_norm(x, layer.post_attention_norm, weights.eps), layer
        )
    return functional.linear(rms_norm(x, weights.norm, weights.eps), *weights.output)


def _feed_forward(x: Tensor, layer: CodecLayer) -> Tensor:
    gate, up = functional.linear(x, layer.gate_up).chunk(2, -1)
    return functional.linear(functional.silu(gate) * up, layer.down)


def _attend(
    heads: Tensor, weights: CodecTransformer, rope: Rope, past: Tensor, mask: Tensor
) -> Tensor:
    """Attend from packed heads `[B, n, H + 2 * H_kv, head_dim]` to the past and to themselves.

    `past` is `[B, window - 1, 2 * H_kv, head_dim]`, and moves on by n.
    """
    num_rotated = weights.num_heads + weights.num_kv
    heads[:, :, :num_rotated] = rotate(heads[:, :, :num_rotated], rope)
    seen = torch.cat((past, heads[:, :, weights.num_heads :]), 1)
    past.copy_(seen[:, -past.shape[1] :])
    key, value = seen.transpose(1, 2).chunk(2, 1)
    query = heads[:, :, : weights.num_heads].transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, enable_gqa=weights.num_heads != weights.num_kv
    )
    return mixed.transpose(1, 2).flatten(2)


def _window_mask(frames: Tensor, num_new: int, window: int, dtype: torch.dtype) -> Tensor:
    """Return 0 where a new position sees one, -inf elsewhere: `[B, 1, n, window - 1 + n]`.

    Key j is the position `frames - (window - 1) + j`; before 0 there is none.
    """
    query = torch.arange(num_new, device=frames.device).unsqueeze(-1)
    key = torch.arange(window - 1 + num_new, device=frames.device)
    unseen = (key < query) | (key > query + window - 1) | (key < window - 1 - frames[:, None, None])
    return torch.zeros_like(unseen, dtype=dtype).masked_fill_(unseen, -math.inf).unsqueeze(1)
