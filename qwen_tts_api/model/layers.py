"""Transformer layers of the talker, the code predictor and (in part) the codec's transformer.

The arithmetic is that of transformers 4.57.3, rounding included: RMSNorm in float32, then a cast,
then the weight; RoPE tables in float32, then a cast; products and sums of RoPE and the residual
additions each rounded to the model's dtype. Fusing them is audible in 16 bits.

Layers run over flat tokens `[N, ...]`; only attention depends on which sequence a token is of.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.transformer_config import Heads, TransformerConfig
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.model.weights.placement import AMPERE, zeros

# Queries `[N, H, head_dim]`, new keys and values `[N, 2 * H_kv, head_dim]` -> `[N, H * head_dim]`.
Attention = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class BlockWeights:
    """One decoder layer; projections of the same input are packed into one matrix.

    Matrices are `[in, out]`, from `Parameters.matrix`: `x.mm(matrix)`.

    Attributes:
        input_norm: `[D]`.
        qkv: `[D, (H + 2 * H_kv) * head_dim]`: query, key and value heads, concatenated.
        qk_norm: `[H + H_kv, head_dim]`: the norm weight of each query head, then of each key head.
        output: `[H * head_dim, D]`.
        post_attention_norm: `[D]`.
        gate_up: `[D, 2 * I]`.
        down: `[I, D]`.
        eps: Of every norm.
    """

    input_norm: Tensor
    qkv: Tensor
    qk_norm: Tensor
    output: Tensor
    post_attention_norm: Tensor
    gate_up: Tensor
    down: Tensor
    eps: float


@dataclass(frozen=True)
class Rope:
    """RoPE tables `[P, 1, head_dim]` in the model's dtype; `sin` includes rotate_half's sign."""

    cos: Tensor
    sin: Tensor

    def take(self, positions: Tensor) -> Rope:
        """Return the tables of `positions`, `[N]` int64."""
        return Rope(self.cos.index_select(0, positions), self.sin.index_select(0, positions))

    def one(self, position: int) -> Rope:
        """Return a view of one position's tables, `[1, 1, head_dim]`."""
        return Rope(self.cos[position : position + 1], self.sin[position : position + 1])

    def sequences(self, num_sequences: int, num_positions: int) -> Rope:
        """Return the tables of sequences from position 0, concatenated: `[n * T, 1, head_dim]`."""
        cos, sin = self.cos[:num_positions], self.sin[:num_positions]
        return Rope(cos.repeat(num_sequences, 1, 1), sin.repeat(num_sequences, 1, 1))


def inverse_frequencies(theta: float, head_dim: int) -> Tensor:
    """Return RoPE's frequencies, `[head_dim / 2]` float32.

    Source: transformers' `ROPE_INIT_FUNCTIONS["default"]`.
    """
    return 1.0 / (theta ** (torch.arange(0, head_dim, 2).to(torch.float32) / head_dim))


def rope_tables(inv_freq: Tensor, positions: Tensor, dtype: torch.dtype) -> Rope:
    """Compute the tables for `positions` `[...]` (any integer dtype) in float32, then cast.

    `inv_freq` is `[head_dim / 2]`. The three axes of the talker's multimodal RoPE always hold the
    same position, so its tables are these.
    Source: transformers' `LlamaRotaryEmbedding`, upstream's `Qwen3TTSTalkerRotaryEmbedding`.
    """
    angle = positions.to(torch.float32).unsqueeze(-1) * inv_freq
    cos, sin = angle.cos(), angle.sin()
    return Rope(
        torch.cat((cos, cos), -1).unsqueeze(-2).to(dtype),
        torch.cat((-sin, sin), -1).unsqueeze(-2).to(dtype),
    )


def rotate(x: Tensor, rope: Rope) -> Tensor:
    """Apply RoPE to `x` `[..., H, head_dim]`.

    rotate_half swaps the halves and negates the first; the sign is in `rope.sin`, which is exact.
    """
    return x * rope.cos + x.roll(x.shape[-1] // 2, -1) * rope.sin


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalise over the last dimension as `LlamaRMSNorm`; `weight` is `[..., x.shape[-1]]`."""
    if x.dtype is torch.float32:
        return weight * _normalise(x, eps)
    return weight * _normalise(x.float(), eps).to(x.dtype)


def _normalise(x: Tensor, eps: float) -> Tensor:
    """Divide by the root mean square, in float32.

    PyTorch's `rms_norm` is one kernel on a GPU, but a dozen operators on a CPU: 7.6 us for a vector
    of nano, of which 112 are normalised a frame; these take 3.5 us.
    """
    if x.device.type != "cpu":
        return functional.rms_norm(x, x.shape[-1:], None, eps)
    vectors = x.reshape(-1, 1, x.shape[-1])
    mean_square = torch.baddbmm(_on_cpu(eps), vectors, vectors.mT, alpha=1 / x.shape[-1])
    return x * mean_square.rsqrt_().view(*x.shape[:-1], 1)


@functools.cache
def _on_cpu(number: float) -> Tensor:
    return torch.full((1, 1, 1), number)


def decoder_layer(
    x: Tensor, weights: BlockWeights, heads: Heads, rope: Rope, attend: Attention
) -> Tensor:
    """Run one layer over tokens `x` `[N, D]` with their RoPE tables `[N or 1, 1, head_dim]`.

    Source: upstream's `Qwen3TTSTalkerDecoderLayer`, `Qwen3TTSDecoderLayer`.
    """
    normed = rms_norm(x, weights.input_norm, weights.eps)
    packed = normed.mm(weights.qkv).view(x.shape[0], -1, heads.head_dim)
    # Not `split`, which is written in Python: half as long.
    query, key_value = packed.split_with_sizes([heads.num_query, 2 * heads.num_kv], 1)
    query_key = packed.narrow(1, 0, heads.num_query + heads.num_kv)
    normed = rms_norm(query_key, weights.qk_norm, weights.eps)
    # Written in place, so that keys and values stay contiguous for the cache.
    torch.add(normed * rope.cos, normed.roll(heads.head_dim // 2, -1) * rope.sin, out=query_key)
    mixed = attend(query, key_value)
    x = x + mixed.mm(weights.output)
    normed = rms_norm(x, weights.post_attention_norm, weights.eps)
    gate, up = normed.mm(weights.gate_up).chunk(2, -1)
    return x + (functional.silu(gate) * up).mm(weights.down)


def attend_causal(query: Tensor, key_value: Tensor, num_sequences: int, heads: Heads) -> Tensor:
    """Attend within `num_sequences` sequences of equal length, each from its position 0.

    Args:
        query: `[num_sequences * T, H, head_dim]`.
        key_value: `[num_sequences * T, 2 * H_kv, head_dim]`.
        num_sequences: The number of sequences.
        heads: The numbers of heads.

    Returns `[num_sequences * T, H * head_dim]`.
    """
    query = query.unflatten(0, (num_sequences, -1)).transpose(1, 2)
    key, value = key_value.unflatten(0, (num_sequences, -1)).transpose(1, 2).chunk(2, 1)
    shared = heads.num_query // heads.num_kv
    if shared > 1 and not _takes_shared_heads(query.device, query.dtype):
        key, value = (
            each.unsqueeze(2).expand(-1, -1, shared, -1, -1).flatten(1, 2) for each in (key, value)
        )
        shared = 1
    out = functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, enable_gqa=shared > 1
    )
    return out.transpose(1, 2).flatten(2).flatten(0, 1)


@functools.cache
def _takes_shared_heads(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether PyTorch attends to key heads that queries share without a table of all scores.

    On a GPU only its FlashAttention does. What takes its place in 32 bits, and on older GPUs, wants
    a key head for each query head; else the scores of 8,192 positions take 8 GiB.
    """
    if device.type != "cuda":
        return True
    is_short = dtype in (torch.bfloat16, torch.float16)
    return is_short and torch.cuda.get_device_capability(device) >= AMPERE


def attend_cached(query: Tensor, cached: Tensor, mask: Tensor | None) -> Tensor:
    """Attend from one token of each slot to the slot's cache; return `[B, H * head_dim]`.

    The query heads that share a key head are passed as its queries, so that keys and values are not
    repeated: grouped-query attention reads the cache once.

    Args:
        query: `[B, H, head_dim]`.
        cached: `[B, S, 2 * H_kv, head_dim]`, a view of the cache.
        mask: Added to the scores, `[B, 1, 1, S]` in the query's dtype; None: all S are seen.
    """
    key, value = cached.transpose(1, 2).chunk(2, 1)
    grouped = query.view(query.shape[0], key.shape[1], -1, query.shape[2])
    out = functional.scaled_dot_product_attention(grouped, key, value, attn_mask=mask)
    return out.reshape(query.shape[0], -1)


def flash_attention(device: torch.device, dtype: torch.dtype) -> Callable[..., Any] | None:
    """Return flash-attn's `flash_attn_with_kvcache` where it can be used, else None.

    It reads only the length of each slot instead of a masked bucket, and splits long ones over the
    GPU.
    """
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return None
    if importlib.util.find_spec("flash_attn") is None:
        return None
    function: Callable[..., Any] = importlib.import_module("flash_attn").flash_attn_with_kvcache
    return function


@dataclass(frozen=True)
class DecoderWeights:
    """A decoder-only transformer without its embeddings and heads: the talker's, the predictor's.

    Attributes:
        layers: In order.
        heads: Of every layer.
        norm: `[D]`, the final norm's weight.
        eps: Of the final norm.
        inv_freq: `[head_dim / 2]` float32, of RoPE.
    """

    layers: list[BlockWeights]
    heads: Heads
    norm: Tensor
    eps: float
    inv_freq: Tensor

    @classmethod
    def read(cls, parameters: Parameters, config: TransformerConfig) -> DecoderWeights:
        """Read a model's layers and its norm.

        Raises:
            LoadError: A tensor is missing, or has another shape than `config` says; or there are
                more layers.
        """
        return cls(
            layers=[_block(part, config) for part in parameters.layers(config.num_layers)],
            heads=config.heads,
            norm=parameters.read("norm.weight", config.hidden_size),
            eps=config.eps,
            inv_freq=inverse_frequencies(config.rope_theta, config.heads.head_dim).to(
                parameters.device
            ),
        )

    def finish(self, x: Tensor) -> Tensor:
        """Apply the final norm."""
        return rms_norm(x, self.norm, self.eps)

    def allocate_cache(self, num_blocks: int, num_positions: int) -> Tensor:
        """Return keys and values `[L, blocks, positions, 2 * H_kv, head_dim]`.

        At each position the key heads come first, then the value heads. They are zeros because
        masked positions must be finite: 0 times NaN is NaN.
        """
        heads = self.heads
        shape = (len(self.layers), num_blocks, num_positions, 2 * heads.num_kv, heads.head_dim)
        return zeros(shape, self.norm.dtype, self.norm.device)

    def rope(self, num_positions: int) -> Rope:
        """Return the tables of the first positions."""
        positions = torch.arange(num_positions, device=self.norm.device)
        return rope_tables(self.inv_freq, positions, self.norm.dtype)


def _block(parameters: Parameters, config: TransformerConfig) -> BlockWeights:
    width, middle, heads = config.hidden_size, config.intermediate_size, config.heads
    attention, mlp = parameters.within("self_attn"), parameters.within("mlp")
    q_norm = attention.read("q_norm.weight", heads.head_dim)
    k_norm = attention.read("k_norm.weight", heads.head_dim)
    return BlockWeights(
        input_norm=parameters.read("input_layernorm.weight", width),
        qkv=attention.matrix(heads.projections, width),
        qk_norm=torch.cat((q_norm.expand(heads.num_query, -1), k_norm.expand(heads.num_kv, -1))),
        output=attention.matrix({"o_proj.weight": width}, heads.width),
        post_attention_norm=parameters.read("post_attention_layernorm.weight", width),
        gate_up=mlp.matrix({"gate_proj.weight": middle, "up_proj.weight": middle}, width),
        down=mlp.matrix({"down_proj.weight": width}, middle),
        eps=config.eps,
    )
