"""The tensors of the 12 Hz codec's decoder, in the order of their use in `decoder.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Convolution:
    """A causal convolution `[out, in / groups, kernel]`, padded with its last inputs."""

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    groups: int = 1

    @property
    def past_shape(self) -> tuple[int, int]:
        """The shape of a stream's state: channels and steps of the last inputs."""
        return self.weight.shape[1] * self.groups, (self.weight.shape[-1] - 1) * self.dilation


@dataclass(frozen=True)
class Upsampling:
    """A transposed convolution `[in, out, kernel]`, whose kernel is one or two strides long."""

    weight: Tensor
    bias: Tensor
    stride: int

    @property
    def past_shape(self) -> tuple[int, int]:
        """The shape of a stream's state: channels and steps of the last inputs."""
        return self.weight.shape[0], int(self.weight.shape[-1] > self.stride)


@dataclass(frozen=True)
class Snake:
    """SnakeBeta x + sin(x * frequency) ** 2 * amount, both `[C, 1]`."""

    frequency: Tensor
    amount: Tensor


@dataclass(frozen=True)
class ResidualUnit:
    """Snake, dilated convolution, snake, pointwise convolution, added to the input."""

    snake_1: Snake
    dilated: Convolution
    snake_2: Snake
    pointwise: Convolution


@dataclass(frozen=True)
class ConvNeXt:
    """A depthwise convolution and a pointwise MLP on `[C]`, scaled by `gamma` `[C]`."""

    depthwise: Convolution
    norm: tuple[Tensor, Tensor]
    expand: tuple[Tensor, Tensor]
    contract: tuple[Tensor, Tensor]
    gamma: Tensor
    eps: float


@dataclass(frozen=True)
class CodecLayer:
    """One layer of the codec's transformer; as `layers.BlockWeights`, with layer scales `[D]`."""

    input_norm: Tensor
    qkv: Tensor
    output: Tensor
    attention_scale: Tensor
    post_attention_norm: Tensor
    gate_up: Tensor
    down: Tensor
    mlp_scale: Tensor


@dataclass(frozen=True)
class CodecTransformer:
    """The transformer between the codes and the convolutions.

    Attributes:
        input: Weight and bias `[D, C]`.
        layers: Decoder layers.
        norm: `[D]`.
        output: Weight and bias `[C, D]`.
        num_heads: Query heads; as many key heads.
        num_kv: Key and value heads.
        head_dim: Of both.
        window: How many positions a query sees, its own included.
        eps: Of every norm.
        inv_freq: `[head_dim / 2]` float32, of RoPE.
    """

    input: tuple[Tensor, Tensor]
    layers: list[CodecLayer]
    norm: Tensor
    output: tuple[Tensor, Tensor]
    num_heads: int
    num_kv: int
    head_dim: int
    window: int
    eps: float
    inv_freq: Tensor


@dataclass(frozen=True)
class CodecWeights:
    """The decoder's tensors.

    Attributes:
        tables: `[G * entries, C_q]` float32: the vectors of all codebooks, with their usage and the
            output projection already applied (64 MB as published).
        table_starts: `[G]` int64: where each codebook begins in `tables`.
        pre_conv: The first convolution, at one step a frame.
        transformer: Upstream's pre_transformer, at one step a frame.
        upsample: Upstream's upsample: transposed convolutions, each with a ConvNeXt block.
        conv_in: The first convolution of upstream's decoder.
        blocks: The decoder's blocks, each of which raises the rate.
        snake_out: Before the last convolution.
        conv_out: To one channel.
    """

    tables: Tensor
    table_starts: Tensor
    pre_conv: Convolution
    transformer: CodecTransformer
    upsample: list[tuple[Upsampling, ConvNeXt]]
    conv_in: Convolution
    blocks: list[tuple[Snake, Upsampling, list[ResidualUnit]]]
    snake_out: Snake
    conv_out: Convolution

    @property
    def dtype(self) -> torch.dtype:
        """The model's dtype, which everything but the tables has."""
        return self.pre_conv.weight.dtype

    @property
    def num_code_groups(self) -> int:
        """How many codes a frame has."""
        return self.table_starts.shape[0]

    @property
    def samples_per_frame(self) -> int:
        """How many samples a frame becomes: 1,920 for every published codec."""
        stages = self.streaming_stages()
        return math.prod(stage.stride for stage in stages if isinstance(stage, Upsampling))

    @property
    def decoder_reach_frames(self) -> int:
        """How many frames back the output of `upsample` and the decoder depends on."""
        reach, steps_per_frame, frames = 0, 1, 0
        for stage in list(self.streaming_stages())[1:]:
            reach += stage.past_shape[1]
            if isinstance(stage, Upsampling):
                reach, steps_per_frame = reach * stage.stride, steps_per_frame * stage.stride
            frames = max(frames, -(-reach // steps_per_frame))
        return frames

    def to_channels_last(self) -> None:
        """Store the kernels of convolutions with input channels side by side, one by one in place.

        Their values and shapes stay; strides become those of `[out, kernel, in]`.
        """
        for stage in self.streaming_stages():
            order = (1, 2, 0) if isinstance(stage, Upsampling) else (0, 2, 1)
            back = (2, 0, 1) if isinstance(stage, Upsampling) else (0, 2, 1)
            stored = stage.weight.permute(order).contiguous().permute(back)
            stage.weight.set_(stored.untyped_storage(), 0, stored.shape, stored.stride())

    def streaming_stages(self) -> Iterator[Convolution | Upsampling]:
        """Yield every convolution in the order of use, which is the order in `CodecState.past`."""
        yield self.pre_conv
        for upsampling, convnext in self.upsample:
            yield upsampling
            yield convnext.depthwise
        yield self.conv_in
        for _, upsampling, units in self.blocks:
            yield upsampling
            for unit in units:
                yield unit.dilated
                yield unit.pointwise
        yield self.conv_out
