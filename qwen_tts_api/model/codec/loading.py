"""Read the codec's decoder from a checkpoint. Names and numbers are upstream's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import (
    CODEC,
    CODEC_DEFAULTS,
    TransformerConfig,
    completed,
)
from qwen_tts_api.errors import LoadError
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
from qwen_tts_api.model.layers import inverse_frequencies
from qwen_tts_api.model.weights.parameters import Parameters

# What upstream's modules have and no configuration says.
USAGE_EPS = 1e-5
SNAKE_EPS = 1e-9
CONVNEXT_EPS = 1e-6
DILATIONS = (1, 3, 9)


def read_codec(parameters: Parameters, config: Document) -> CodecWeights:
    """Read a codec's decoder.

    Args:
        parameters: Those within `decoder`.
        config: The codec's config.json's `decoder_config`.

    Raises:
        LoadError: A tensor is missing or of another shape than `config` says, or the decoder has a
            feature that no published one has, and that `decoder.py` does not support.
    """
    config = completed(config, CODEC_DEFAULTS, CODEC)
    config.pop("layer_types", None)  # all layers slide, whatever is said
    latent, width = config["latent_dim"], config["decoder_dim"]
    tables = _tables(parameters.within("quantizer"), config)
    sizes = torch.tensor([0] + [table.shape[0] for table in tables[:-1]])
    decoder = parameters.within("decoder")
    num_blocks = len(config["upsample_rates"])
    return CodecWeights(
        tables=torch.cat(tables),
        table_starts=sizes.cumsum(0).to(parameters.device),
        pre_conv=_convolution(parameters, "pre_conv", latent),
        transformer=_transformer(parameters.within("pre_transformer"), config),
        upsample=[
            (_upsampling(part, "0", stride, (latent, latent)), _convnext(part.within("1"), latent))
            for part, stride in _stages(parameters.within("upsample"), config["upsampling_ratios"])
        ],
        conv_in=_convolution(decoder, "0", width, latent),
        blocks=[
            _block(part.within("block"), stride, (width >> number, width >> (number + 1)))
            for number, (part, stride) in enumerate(
                _stages(decoder, config["upsample_rates"], first=1)
            )
        ],
        snake_out=_snake(decoder.within(f"{num_blocks + 1}"), width >> num_blocks),
        conv_out=_convolution(decoder, f"{num_blocks + 2}", 1, width >> num_blocks),
    )


def _stages(
    parameters: Parameters, strides: Sequence[int], first: int = 0
) -> Iterator[tuple[Parameters, int]]:
    """Yield the parameters of each upsampling stage, numbered from `first`, with its stride."""
    for number, stride in enumerate(strides, start=first):
        yield parameters.within(f"{number}"), stride


def _tables(parameters: Parameters, config: Document) -> list[Tensor]:
    """Return each codebook's vectors, `[entries, C_q]` float32.

    The projection is linear, so the vectors are projected here once instead of each frame's sum.
    """
    tables = []
    for part, num_codebooks in (("rvq_first", 1), ("rvq_rest", config["num_quantizers"] - 1)):
        quantizer = parameters.within(part)
        projection = quantizer.read("output_proj.weight").squeeze(-1).float()
        entry = config["codebook_size"], projection.shape[-1]
        for index in range(num_codebooks):
            codebook = quantizer.within(f"vq.layers.{index}._codebook")
            usage = codebook.read("cluster_usage", config["codebook_size"]).clamp(min=USAGE_EPS)
            rows = codebook.read("embedding_sum", *entry) / usage.unsqueeze(-1)
            tables.append(functional.linear(rows.float(), projection))
    return tables


def _convolution(
    parameters: Parameters,
    name: str,
    out: int,
    into: int | None = None,
    dilation: int = 1,
    *,
    depthwise: bool = False,
) -> Convolution:
    """Read a convolution from `into` to `out` channels, of any kernel size."""
    weight, bias = parameters.linear(f"{name}.conv")
    _check_channels(parameters, name, weight, (out, into or weight.shape[1]), bias, out)
    return Convolution(weight, bias, dilation, groups=len(weight) if depthwise else 1)


def _check_channels(
    parameters: Parameters,
    name: str,
    weight: Tensor,
    channels: tuple[int, int],
    bias: Tensor,
    out: int,
) -> None:
    if weight.ndim != 3 or weight.shape[:2] != channels or bias.shape != (out,):
        raise LoadError(
            f"{parameters.full_name(name)}.conv is {[*weight.shape]} and {[*bias.shape]}; "
            f"speech_tokenizer/config.json asks for {[*channels]} channels and {[out]}."
        )


def _upsampling(
    parameters: Parameters, name: str, stride: int, channels: tuple[int, int]
) -> Upsampling:
    weight, bias = parameters.linear(f"{name}.conv")
    _check_channels(parameters, name, weight, channels, bias, channels[1])
    kernel = weight.shape[-1]
    if not stride <= kernel <= 2 * stride:
        raise LoadError(f"A kernel of {kernel} overlaps more than one step at stride {stride}.")
    return Upsampling(weight, bias, stride)


def _snake(parameters: Parameters, width: int) -> Snake:
    frequency = parameters.read("alpha", width).exp()
    beta = parameters.read("beta", width).exp()
    return Snake(frequency.unsqueeze(-1), (1.0 / (beta + SNAKE_EPS)).unsqueeze(-1))


def _convnext(parameters: Parameters, width: int) -> ConvNeXt:
    return ConvNeXt(
        depthwise=_convolution(parameters, "dwconv", width, 1, depthwise=True),
        norm=parameters.linear("norm", width),
        expand=parameters.linear("pwconv1", 4 * width, width),
        contract=parameters.linear("pwconv2", width, 4 * width),
        gamma=parameters.read("gamma", width),
        eps=CONVNEXT_EPS,
    )


def _block(
    parameters: Parameters, stride: int, channels: tuple[int, int]
) -> tuple[Snake, Upsampling, list[ResidualUnit]]:
    into, out = channels
    units = [
        _residual_unit(parameters.within(f"{number}"), out, dilation)
        for number, dilation in enumerate(DILATIONS, start=2)
    ]
    upsampling = _upsampling(parameters, "1", stride, channels)
    return _snake(parameters.within("0"), into), upsampling, units


def _residual_unit(parameters: Parameters, width: int, dilation: int) -> ResidualUnit:
    return ResidualUnit(
        _snake(parameters.within("act1"), width),
        _convolution(parameters, "conv1", width, width, dilation),
        _snake(parameters.within("act2"), width),
        _convolution(parameters, "conv2", width, width),
    )


def _transformer(parameters: Parameters, document: Document) -> CodecTransformer:
    config = TransformerConfig.read(document)
    return CodecTransformer(
        input=parameters.linear("input_proj", config.hidden_size, document["latent_dim"]),
        layers=[_layer(layer, config) for layer in parameters.layers(config.num_layers)],
        norm=parameters.read("norm.weight", config.hidden_size),
        output=parameters.linear("output_proj", document["latent_dim"], config.hidden_size),
        num_heads=config.heads.num_query,
        num_kv=config.heads.num_kv,
        head_dim=config.heads.head_dim,
        window=document["sliding_window"],
        eps=config.eps,
        inv_freq=inverse_frequencies(config.rope_theta, config.heads.head_dim).to(
            parameters.device
        ),
    )


def _layer(parameters: Parameters, config: TransformerConfig) -> CodecLayer:
    width, middle, heads = config.hidden_size, config.intermediate_size, config.heads
    attention, mlp = parameters.within("self_attn"), parameters.within("mlp")
    return CodecLayer(
        input_norm=parameters.read("input_layernorm.weight", width),
        qkv=attention.stack(heads.projections, width),
        output=attention.read("o_proj.weight", width, heads.width),
        attention_scale=parameters.read("self_attn_layer_scale.scale", width),
        post_attention_norm=parameters.read("post_attention_layernorm.weight", width),
        gate_up=mlp.stack({"gate_proj.weight": middle, "up_proj.weight": middle}, width),
        down=mlp.read("down_proj.weight", width, middle),
        mlp_scale=parameters.read("mlp_layer_scale.scale", width),
    )
