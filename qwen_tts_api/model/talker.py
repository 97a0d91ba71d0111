"""The talker: a decoder-only transformer from text and code embeddings to code 0 of each frame.

Its key-value cache is allocated once, in pages, and a table says which pages each of R slots has.
`prefill` writes whole prompts into slots; `step` then runs one position for each of the first B
slots, each at a position of its own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import (
    CODE_PREDICTOR,
    CODE_PREDICTOR_DEFAULTS,
    TALKER,
    TALKER_DEFAULTS,
    TransformerConfig,
    completed,
)
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.layers import (
    DecoderWeights,
    attend_causal,
    decoder_layer,
)
from qwen_tts_api.model.talker_cache import TalkerCache
from qwen_tts_api.model.weights.parameters import Parameters


@dataclass(frozen=True)
class TalkerWeights:
    """The talker's tensors.

    Attributes:
        decoder: The transformer.
        codec_head: `[D, V]`.
        code_embeddings: `[V + (G - 1) * V_p, D]`: the talker's codec embedding, then those of the
            code predictor, whose tables embed codes 1 to G - 1.
        code_offsets: `[G]` int64: where in `code_embeddings` each code group begins.
    """

    decoder: DecoderWeights
    codec_head: Tensor
    code_embeddings: Tensor
    code_offsets: Tensor

    @classmethod
    def read(cls, parameters: Parameters, config: Document) -> TalkerWeights:
        """Read the talker, with the code predictor's embeddings.

        Args:
            parameters: Those within `talker`.
            config: config.json's `talker_config`.

        Raises:
            LoadError: As `TransformerConfig.read` and `DecoderWeights.read`.
        """
        config = completed(config, TALKER_DEFAULTS, TALKER)
        predictor = completed(
            config.get("code_predictor_config") or {}, CODE_PREDICTOR_DEFAULTS, CODE_PREDICTOR
        )
        if config["num_code_groups"] != predictor["num_code_groups"]:
            raise LoadError(
                f"{TALKER} says num_code_groups {config['num_code_groups']}, and "
                f"{CODE_PREDICTOR} {predictor['num_code_groups']}."
            )
        shape = TransformerConfig.read(config)
        heights = {"model.codec_embedding.weight": config["vocab_size"]}
        for index in range(predictor["num_code_groups"] - 1):
            name = f"code_predictor.model.codec_embedding.{index}.weight"
            heights[name] = predictor["vocab_size"]
        starts = itertools.accumulate([*heights.values()][:-1], initial=0)
        return cls(
            decoder=DecoderWeights.read(parameters.within("model"), shape),
            codec_head=parameters.matrix(
                {"codec_head.weight": config["vocab_size"]}, shape.hidden_size
            ),
            code_embeddings=parameters.stack(heights, shape.hidden_size),
            code_offsets=torch.tensor([*starts], device=parameters.device),
        )

    @property
    def vocabulary(self) -> int:
        """How many logits code 0 has."""
        return self.codec_head.shape[1]

    def embed_frame(self, codes: Tensor) -> Tensor:
        """Sum the embeddings of a frame's codes: int64 `[..., G]` -> `[..., D]`.

        In one sum over the codes, as upstream does: in 16 bits the order is audible.
        """
        return functional.embedding(codes + self.code_offsets, self.code_embeddings).sum(-2)


def prefill(
    weights: TalkerWeights, cache: TalkerCache, embeds: Tensor, lengths: Tensor, slots: Tensor
) -> tuple[Tensor, Tensor]:
    """Run whole prompts and write their keys and values into `slots` of the cache.

    Padding on the right needs no mask: attention is causal, and the keys and values of padding are
    overwritten before the mask of a later step exposes them.

    Args:
        weights: The talker's.
        cache: Written at positions 0 to T - 1 of `slots`, as far as they have pages.
        embeds: `[n, T, D]` in the weights' dtype, finite also where it is padding; T is at most the
            number of positions in the cache.
        lengths: `[n]` int64, 1 to T.
        slots: `[n]` int64, distinct.

    Returns:
        The hidden state after the final norm, `[n, D]`, and the logits, `[n, V]` float32, of each
        prompt's last position.
    """
    num_prompts, num_positions = embeds.shape[:2]
    span = torch.arange(num_positions, device=embeds.device).expand(num_prompts, -1)
    indices = cache.indices(cache.page_table.index_select(0, slots), span).flatten()
    rope = cache.rope.sequences(num_prompts, num_positions)
    x = embeds.flatten(0, 1)
    heads = weights.decoder.heads
    for layer, block in enumerate(weights.decoder.layers):
        flat = cache.key_value[layer].flatten(0, 1)

        def attend(query: Tensor, key_value: Tensor, flat: Tensor = flat) -> Tensor:
            flat.index_copy_(0, indices, key_value)
            return attend_causal(query, key_value, num_prompts, heads)

        x = decoder_layer(x, block, heads, rope, attend)
    last = torch.arange(num_prompts, device=x.device) * num_positions + lengths - 1
    return _head(weights, x.index_select(0, last))


def step(
    weights: TalkerWeights, cache: TalkerCache, x: Tensor, positions: Tensor, kv_len: int
) -> tuple[Tensor, Tensor]:
    """Run one position for each of the first B slots.

    Args:
        weights: The talker's.
        cache: Written at `positions` of slots 0 to B - 1. A running slot has the page.
        x: `[B, D]` in the weights' dtype.
        positions: `[B]` int64, below S also in slots that are not running.
        kv_len: How many positions attention reads: more than the position of every running slot. A
            constant of a captured graph, so one of a few values.

    Returns:
        The hidden state after the final norm, `[B, D]`, and the logits, `[B, V]` float32.
    """
    table = cache.page_table[: x.shape[0]]
    indices = cache.indices(table, positions.unsqueeze(-1)).squeeze(-1)
    rope = cache.rope.take(positions)
    read = cache.reader(positions, kv_len)
    for layer, block in enumerate(weights.decoder.layers):
        pages = cache.key_value[layer]

        def attend(query: Tensor, key_value: Tensor, pages: Tensor = pages) -> Tensor:
            pages.flatten(0, 1).index_copy_(0, indices, key_value)
            return read(query, pages)

        x = decoder_layer(x, block, weights.decoder.heads, rope, attend)
    return _head(weights, x)


def _head(weights: TalkerWeights, x: Tensor) -> tuple[Tensor, Tensor]:
    hidden = weights.decoder.finish(x)
    return hidden, hidden.mm(weights.codec_head).float()
