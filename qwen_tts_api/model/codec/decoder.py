"""Decode codes to samples in chunks of frames; the samples are those of one decode of all frames.

The decoder is causal, so a stream keeps the state of its layers instead of decoding context again:
the last inputs of each convolution, and the transformer's last 71 keys and values. Each stream has
a slot in `CodecState`; one call decodes a chunk of several slots, each at a position of its own.

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
from qwen_tts_api.model.weights.placement import zeros


@dataclass(frozen=True)
class CodecState:
    """The state of all streams; allocated once, updated in place. S is the number of slots.

    Attributes:
        past: `[S, W]` in the model's dtype: the state of all convolutions, concatenated.
        key_value: `[S, L, window - 1, 2 * H_kv, head_dim]`: the last positions, oldest first.
        frames: `[S]` int64: how many frames the stream has decoded.
    """

    past: Tensor
    key_value: Tensor
    frames: Tensor

    @classmethod
    def allocate(cls, weights: CodecWeights, num_slots: int) -> CodecState:
        """Return the state of `num_slots` new streams: 5 MB each as published, in 32 bits."""
        transformer, device = weights.transformer, weights.tables.device
        width = sum(math.prod(stage.past_shape) for stage in weights.streaming_stages())
        heads = (2 * transformer.num_kv, transformer.head_dim)
        shape = (num_slots, len(transformer.layers), transformer.window - 1, *heads)
        return cls(
            past=zeros((num_slots, width), weights.dtype, device),
            key_value=zeros(shape, weights.dtype, device),
            frames=torch.zeros(num_slots, dtype=torch.int64, device=device),
        )

    def reset(self, slots: Tensor) -> None:
        """Reset slots, `[n]` int64, to new streams.

        Keys and values before frame 0 are masked, but must be finite: 0 times NaN is NaN.
        """
        for tensor in (self.past, self.key_value, self.frames):
            tensor.index_fill_(0, slots, 0)

    def put(self, slot: int, stream: CodecState) -> None:
        """Set a slot to the state of the only stream of another `CodecState`."""
        self.past[slot] = stream.past[0]
        self.key_value[slot] = stream.key_value[0]
        self.frames[slot] = stream.frames[0]


class _StateCursor:
    """Reads the states of the convolutions from `past`, `[B, W]`, in the order of their use."""

    def __init__(self, past: Tensor) -> None:
        self._past = past
        self._next = 0

    def extend(self, x: Tensor, past_shape: tuple[int, int]) -> Tensor:
        """Put the last inputs before `x`, `[B, channels, T]`, and keep the last of both."""
        channels, history = past_shape
        if not history:
            return x
        start, self._next = self._next, self._next + channels * history
        past = self._past[:, start : self._next].unflatten(1, past_shape)
        x = torch.cat((past, x), -1)
        past.copy_(x[..., -history:])
        return x


def decode_chunk(weights: CodecWeights, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
    """Decode the next frames of some streams.

    Args:
        weights: The decoder's.
        state: Advanced by n frames in `slots`; other slots are not changed.
        codes: `[B, n, G]` int64, below the codebook's size.
        slots: `[B]` int64, the slot of each stream. Distinct, except for a slot that no stream has
            and that pads a batch.

    Returns:
        `[B, n * samples_per_frame]` in the model's dtype, -1 to 1. They do not depend on how frames
        are divided into chunks.
    """
    past, key_value = state.past.index_select(0, slots), state.key_value.index_select(0, slots)
    frames = state.frames.index_select(0, slots)
    cursor = _StateCursor(past)
    x = _decoder(weights, _pre_transformer(weights, codes, cursor, key_value, frames), cursor)
    state.past.index_copy_(0, slots, past)
    state.key_value.index_copy_(0, slots, key_value)
    state.frames.index_copy_(0, slots, frames + codes.shape[1])
    return x.squeeze(1).clamp(-1, 1)


def decode_pcm(weights: CodecWeights, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
    """As `decode_chunk`; return int16 `[B, n * samples_per_frame]`, where 1 is 32,767."""
    samples = decode_chunk(weights, state, codes, slots)
    return (samples.float() * 32767.0).round().to(torch.int16)


def stream_after(weights: CodecWeights, codes: Tensor) -> CodecState:
    """Return the state of a stream that has decoded `codes`, `[n, G]` int64.

    The transformer has to run over all frames, at one position each. The convolutions, which take
    nearly all the time, only over the last frames, as their state depends on no earlier ones.
    """
    stream = CodecState.allocate(weights, 1)
    cursor = _StateCursor(stream.past)
    x = _pre_transformer(weights, codes.unsqueeze(0), cursor, stream.key_value, stream.frames)
    _decoder(weights, x[..., -weights.decoder_reach_frames :], cursor)
    stream.frames.fill_(codes.shape[0])
    return stream


def _pre_transformer(
    weights: CodecWeights, codes: Tensor, cursor: _StateCursor, key_value: Tensor, frames: Tensor
) -> Tensor:
    """Run quantizer, pre_conv and pre_transformer: codes `[B, n, G]` to `[B, C, n]`."""
    quantised = functional.embedding(codes + weights.table_starts, weights.tables).sum(2)
    x = _convolve(quantised.to(weights.dtype).transpose(1, 2), weights.pre_conv, cursor)
    return _transformer(x.transpose(1, 2), weights.transformer, key_value, frames).transpose(1, 2)


def _decoder(weights: CodecWeights, x: Tensor, cursor: _StateCursor) -> Tensor:
    """Run upsample and decoder: `[B, C, n]` to samples `[B, 1, n * samples_per_frame]`."""
    for upsampling, convnext in weights.upsample:
        x = _convnext(_upsample(x, upsampling, cursor), convnext, cursor)
    x = _convolve(x, weights.conv_in, cursor)
    for snake, upsampling, units in weights.blocks:
        x = _upsample(_snake(x, snake), upsampling, cursor)
        for unit in units:
            x = x + _residual_unit(x, unit, cursor)
    return _convolve(_snake(x, weights.snake_out), weights.conv_out, cursor)


def _convolve(x: Tensor, conv: Convolution, cursor: _StateCursor) -> Tensor:
    """Convolve `[B, in, T]` causally to `[B, out, T]`."""
    x = cursor.extend(x, conv.past_shape)
    return functional.conv1d(x, conv.weight, conv.bias, dilation=conv.dilation, groups=conv.groups)


def _upsample(x: Tensor, upsampling: Upsampling, cursor: _StateCursor) -> Tensor:
    """Upsample `[B, in, T]` to `[B, out, T * stride]`.

    A kernel longer than a stride adds a share of the step before to each output.
    """
    steps, history = x.shape[-1], upsampling.past_shape[1]
    x = cursor.extend(x, upsampling.past_shape)
    stride, weight = upsampling.stride, upsampling.weight
    x = functional.conv_transpose1d(x, weight, upsampling.bias, stride=stride)
    return x.narrow(-1, history * stride, steps * stride)


def _snake(x: Tensor, snake: Snake) -> Tensor:
    """Apply SnakeBeta to `[B, C, T]`."""
    wave = (x * snake.frequency).sin_().square_().mul_(snake.amount)
    return wave.add_(x)


def _residual_unit(x: Tensor, unit: ResidualUnit, cursor: _StateCursor) -> Tensor:
    """Return a residual unit's output without the residual, `[B, C, T]`."""
    x = _convolve(_snake(x, unit.snake_1), unit.dilated, cursor)
    return _convolve(_snake(x, unit.snake_2), unit.pointwise, cursor)


def _convnext(x: Tensor, weights: ConvNeXt, cursor: _StateCursor) -> Tensor:
    """Run a ConvNeXt block over `[B, C, T]`."""
    y = _convolve(x, weights.depthwise, cursor).transpose(1, 2)
    y = functional.layer_norm(y, y.shape[-1:], *weights.norm, weights.eps)
    y = functional.linear(functional.gelu(functional.linear(y, *weights.expand)), *weights.contract)
    return x + (weights.gamma * y).transpose(1, 2)


def _transformer(x: Tensor, weights: CodecTransformer, cached: Tensor, frames: Tensor) -> Tensor:
    """Run the transformer over `[B, n, C]`, at positions `frames` to `frames + n - 1`.

    `cached`, `[B, L, window - 1, 2 * H_kv, head_dim]`, is advanced by n positions.
    """
    num_streams, num_new = x.shape[:2]
    positions = frames.unsqueeze(-1) + torch.arange(num_new, device=x.device)
    rope = rope_tables(weights.inv_freq, positions, x.dtype)
    mask = _window_mask(frames, num_new, weights.window, x.dtype)
    x = functional.linear(x, *weights.input)
    for index, layer in enumerate(weights.layers):
        normed = rms_norm(x, layer.input_norm, weights.eps)
        heads = functional.linear(normed, layer.qkv).view(
            num_streams, num_new, -1, weights.head_dim
        )
        mixed = _sliding_attention(heads, weights, rope, cached[:, index], mask)
        x = x + layer.attention_scale * functional.linear(mixed, layer.output)
        x = x + layer.mlp_scale * _feed_forward(
            rms_norm(x, layer.post_attention_norm, weights.eps), layer
        )
    return functional.linear(rms_norm(x, weights.norm, weights.eps), *weights.output)


def _feed_forward(x: Tensor, layer: CodecLayer) -> Tensor:
    gate, up = functional.linear(x, layer.gate_up).chunk(2, -1)
    return functional.linear(functional.silu(gate) * up, layer.down)


def _sliding_attention(
    heads: Tensor, weights: CodecTransformer, rope: Rope, past: Tensor, mask: Tensor
) -> Tensor:
    """Attend from packed heads `[B, n, H + 2 * H_kv, head_dim]` to the cache and to themselves.

    `past`, `[B, window - 1, 2 * H_kv, head_dim]`, is advanced by n positions.
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
    """Return the additive mask of sliding attention, `[B, 1, n, window - 1 + n]`: 0 or -inf.

    Key j is at position `frames - (window - 1) + j`; negative positions are masked.
    """
    query = torch.arange(num_new, device=frames.device).unsqueeze(-1)
    key = torch.arange(window - 1 + num_new, device=frames.device)
    unseen = (key < query) | (key > query + window - 1) | (key < window - 1 - frames[:, None, None])
    return torch.zeros_like(unseen, dtype=dtype).masked_fill_(unseen, -math.inf).unsqueeze(1)
