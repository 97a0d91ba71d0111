"""The tensors of the 12 Hz codec's decoder, in the order in which `codec.py` uses them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.layers import pack


@dataclass(frozen=True)
class Convolution:
    """A causal convolution `[out, in / groups, kernel]`, padded with its past."""

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    groups: int = 1

    @property
    def past_shape(self) -> tuple[int, int]:
        """Channels and steps of the past that a stream keeps for it."""
        return self.weight.shape[1] * self.groups, (self.weight.shape[-1] - 1) * self.dilation


@dataclass(frozen=True)
class Upsampling:
    """A transposed convolution `[in, out, kernel]`, whose kernel is one or two strides long."""

    weight: Tensor
    bias: Tensor
    stride: int

    @property
    def past_shape(self) -> tuple[int, int]:
        """Channels and steps that a stream's last outputs reach into its next ones."""
        return self.weight.shape[1], self.weight.shape[-1] - self.stride


@dataclass(frozen=True)
class Snake:
    """SnakeBeta x + sin(x * frequency) ** 2 * amount, both `[C, 1]`."""

    frequency: Tensor
    amount: Tensor


@dataclass(frozen=True)
class ResidualUnit:
    """Snake, dilated convolution, snake, pointwise convolution, and the input again."""

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
        rope_scaling: Factor of the RoPE tables.
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
    rope_scaling: float


@dataclass(frozen=True)
class CodecWeights:
    """The decoder's tensors, shared with the upstream module but for the tables.

    Attributes:
        tables: `[G * entries, C_q]` float32: what each code adds to the quantised frame, with the
            codebook's usage and the output projection already applied (64 MB as published).
        table_starts: `[G]` int64: where each codebook begins in `tables`.
        pre_conv: The first convolution, at one step a frame.
        transformer: At one step a frame.
        upsample: Pairs that raise the rate before the vocoder.
        conv_in: The vocoder's first convolution.
        blocks: The vocoder's stages.
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

    @classmethod
    def from_upstream(cls, decoder: Any) -> CodecWeights:
        """Take over a `Qwen3TTSTokenizerV2Decoder`.

        Its transformer's parameters become views of packed tensors (see `layers.pack`), and the
        module still works. Not to be called in inference mode.

        Raises:
            ValueError: The transformer does what no published one does, and `codec.py` neither.
        """
        first, *stages, last_snake, last = decoder.decoder
        quantizer = decoder.quantizer
        tables = [*_folded_tables(quantizer.rvq_first), *_folded_tables(quantizer.rvq_rest)]
        sizes = torch.tensor([0] + [table.shape[0] for table in tables[:-1]])
        return cls(
            tables=torch.cat(tables),
            table_starts=sizes.cumsum(0).to(tables[0].device),
            pre_conv=_convolution(decoder.pre_conv),
            transformer=_transformer(decoder.pre_transformer),
            upsample=[(_upsampling(up), _convnext(block)) for up, block in decoder.upsample],
            conv_in=_convolution(first),
            blocks=[_block(stage) for stage in stages],
            snake_out=_snake(last_snake),
            conv_out=_convolution(last),
        )

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
    def vocoder_reach_frames(self) -> int:
        """How many frames back what comes after the transformer looks, all of it together."""
        reach, steps_per_frame, frames = 0, 1, 0
        for stage in list(self.streaming_stages())[1:]:
            history = stage.past_shape[1]
            if isinstance(stage, Upsampling):
                reach, steps_per_frame = reach * stage.stride, steps_per_frame * stage.stride
            reach += history
            frames = max(frames, -(-reach // steps_per_frame))
        return frames

    def streaming_stages(self) -> Iterator[Convolution | Upsampling]:
        """Yield every convolution in the order of use, which is that of a stream's state."""
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


def _folded_tables(quantizer: Any) -> list[Tensor]:
    """Return what each code of a residual quantiser adds, `[entries, C_q]` float32 a codebook.

    Projecting is linear, so the rows are projected here once instead of their sum every time.
    """
    projection = quantizer.output_proj.weight.detach().squeeze(-1).float()
    tables = []
    for layer in quantizer.vq.layers:
        codebook = layer._codebook
        usage = codebook.cluster_usage.detach().clamp(min=codebook.epsilon)
        rows = layer.project_out(codebook.embedding_sum.detach() / usage.unsqueeze(-1))
        tables.append(functional.linear(rows.detach().float(), projection))
    return tables


def _linear(linear: Any) -> tuple[Tensor, Tensor]:
    return linear.weight.detach(), linear.bias.detach()


def _convolution(module: Any) -> Convolution:
    conv = module.conv
    return Convolution(*_linear(conv), dilation=conv.dilation[0], groups=conv.groups)


def _upsampling(module: Any) -> Upsampling:
    conv = module.conv
    stride, kernel = conv.stride[0], conv.kernel_size[0]
    if not stride <= kernel <= 2 * stride:
        raise ValueError(f"A kernel of {kernel} overlaps more than one step at stride {stride}.")
    return Upsampling(*_linear(conv), stride=stride)


def _snake(module: Any) -> Snake:
    frequency, beta = module.alpha.detach().exp(), module.beta.detach().exp()
    amount = 1.0 / (beta + module.no_div_by_zero)
    return Snake(frequency.unsqueeze(-1), amount.unsqueeze(-1))


def _convnext(module: Any) -> ConvNeXt:
    return ConvNeXt(
        depthwise=_convolution(module.dwconv),
        norm=_linear(module.norm),
        expand=_linear(module.pwconv1),
        contract=_linear(module.pwconv2),
        gamma=module.gamma.detach(),
        eps=module.norm.eps,
    )


def _block(stage: Any) -> tuple[Snake, Upsampling, list[ResidualUnit]]:
    snake, upsampling, *units = stage.block
    return _snake(snake), _upsampling(upsampling), [_residual_unit(unit) for unit in units]


def _residual_unit(unit: Any) -> ResidualUnit:
    return ResidualUnit(
        _snake(unit.act1), _convolution(unit.conv1), _snake(unit.act2), _convolution(unit.conv2)
    )


def _transformer(module: Any) -> CodecTransformer:
    config = module.config
    if config.attention_bias or config.hidden_act != "silu":
        found = f"{config.attention_bias} and {config.hidden_act}"
        raise ValueError(f"The codec must have attention_bias false and silu, not {found}.")
    return CodecTransformer(
        input=_linear(module.input_proj),
        layers=[_layer(layer) for layer in module.layers],
        norm=module.norm.weight.detach(),
        output=_linear(module.output_proj),
        num_heads=config.num_attention_heads,
        num_kv=config.num_key_value_heads,
        head_dim=module.layers[0].self_attn.head_dim,
        window=config.sliding_window,
        eps=config.rms_norm_eps,
        inv_freq=module.rotary_emb.inv_freq.detach(),
        rope_scaling=module.rotary_emb.attention_scaling,
    )


def _layer(layer: Any) -> CodecLayer:
    attention, mlp = layer.self_attn, layer.mlp
    return CodecLayer(
        input_norm=layer.input_layernorm.weight.detach(),
        qkv=pack([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
        output=attention.o_proj.weight.detach(),
        attention_scale=layer.self_attn_layer_scale.scale.detach(),
        post_attention_norm=layer.post_attention_layernorm.weight.detach(),
        gate_up=pack([mlp.gate_proj.weight, mlp.up_proj.weight]),
        down=mlp.down_proj.weight.detach(),
        mlp_scale=layer.mlp_layer_scale.scale.detach(),
    )
