"""The code predictor: a small transformer that generates codes 1 to 15 of a frame, in order.

Every frame is a sequence of its own: the talker's hidden state at position 0, then the frame's
codes. So all slots are at the same position, no mask is needed, and the sixteen passes of a frame
are a static sequence of operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import (
    CODE_PREDICTOR,
    CODE_PREDICTOR_DEFAULTS,
    Heads,
    TransformerConfig,
    completed,
)
from qwen_tts_api.model.layers import (
    DecoderWeights,
    Rope,
    attend_cached,
    attend_causal,
    decoder_layer,
)
from qwen_tts_api.model.sampling import SamplingTensors, TopKTopP, sample
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.weights.parameters import Parameters


@dataclass(frozen=True)
class CodePredictorWeights:
    """The code predictor's tensors.

    Attributes:
        decoder: The transformer, D_p wide.
        lm_heads: G - 1 of `[D_p, V_p]`: codes 1 to G - 1.
        inputs: G - 1 tables `[V or V_p, D_p]`: the input embeddings of codes 0 to G - 2; views of
            the talker's `code_embeddings` where they are not projected.
        projection: Weight `[D_p, D]` and bias `[D_p]` from the talker's hidden state; None where
            both models are of one width.
    """

    decoder: DecoderWeights
    lm_heads: list[Tensor]
    inputs: list[Tensor]
    projection: tuple[Tensor, Tensor] | None

    @classmethod
    def read(
        cls, parameters: Parameters, config: Document, talker: TalkerWeights
    ) -> CodePredictorWeights:
        """Read the code predictor.

        Where the inputs are projected, whole tables are projected here once (64 MB for 1.7B in 16
        bits), which saves fifteen matrix products a frame.

        Args:
            parameters: Those within `talker.code_predictor`.
            config: config.json's `talker_config.code_predictor_config`.
            talker: Has the embeddings of all codes.

        Raises:
            LoadError: As `TransformerConfig.read` and `DecoderWeights.read`.
        """
        config = completed(config, CODE_PREDICTOR_DEFAULTS, CODE_PREDICTOR)
        shape = TransformerConfig.read(config)
        heads = [f"lm_head.{index}.weight" for index in range(config["num_code_groups"] - 1)]
        sizes = [talker.vocabulary, *[config["vocab_size"]] * len(heads)]
        inputs = list(talker.code_embeddings.split(sizes)[:-1])
        projection = None
        if shape.hidden_size != talker.code_embeddings.shape[1]:
            projection = parameters.linear(
                "small_to_mtp_projection", shape.hidden_size, talker.code_embeddings.shape[1]
            )
            inputs = [_project(parameters, table, *projection) for table in inputs]
        return cls(
            decoder=DecoderWeights.read(parameters.within("model"), shape),
            lm_heads=[
                parameters.matrix({head: config["vocab_size"]}, shape.hidden_size) for head in heads
            ],
            inputs=inputs,
            projection=projection,
        )

    @property
    def num_code_groups(self) -> int:
        """How many codes a frame has, code 0 included."""
        return len(self.lm_heads) + 1

    @property
    def vocabulary(self) -> int:
        """How many logits each of codes 1 to 15 has."""
        return self.lm_heads[0].shape[1]


def _project(parameters: Parameters, table: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    shape = table.shape[0], weight.shape[0]
    return parameters.computed(lambda: functional.linear(table, weight, bias), *shape)


@dataclass(frozen=True)
class CodePredictorCache:
    """Keys and values of the current frame of every slot. Allocated once, overwritten each frame.

    Attributes:
        key_value: `[L_p, R, G, 2 * H_kv, head_dim]`, as of `DecoderWeights.allocate_cache`.
        rope: Tables of the G positions.
    """

    key_value: Tensor
    rope: Rope

    @classmethod
    def allocate(cls, weights: CodePredictorWeights, max_slots: int) -> CodePredictorCache:
        """Return a cache of `max_slots` slots."""
        decoder, num_positions = weights.decoder, weights.num_code_groups
        return cls(decoder.allocate_cache(max_slots, num_positions), decoder.rope(num_positions))


def predict_frame(
    weights: CodePredictorWeights,
    cache: CodePredictorCache,
    past_hidden: Tensor,
    code_0: Tensor,
    sampling: SamplingTensors,
    uniforms: Tensor,
    top_k_top_p: TopKTopP,
) -> Tensor:
    """Generate codes 1 to G - 1 of one frame for the first B slots.

    There is neither a repetition penalty nor a suppressed code, only temperature, top-k and top-p.

    Args:
        weights: The code predictor's.
        cache: Overwritten in slots 0 to B - 1.
        past_hidden: `[B, D]`, the talker's hidden state that code 0 was sampled from.
        code_0: `[B]` int64.
        sampling: The B slots' parameters for these codes.
        uniforms: `[B, G - 1]` float32: the random numbers for `sampling.sample`.
        top_k_top_p: The one that `sampling` was made with.

    Returns the frame with code 0, `[B, G]` int64.
    Source: upstream's `Qwen3TTSTalkerCodePredictorModelForConditionalGeneration`.
    """
    codes = [code_0]
    if weights.projection is not None:
        past_hidden = functional.linear(past_hidden, *weights.projection)
    for group, lm_head in enumerate(weights.lm_heads, start=1):
        x = functional.embedding(codes[-1], weights.inputs[group - 1])
        if group == 1:
            x = _open(weights, cache, torch.stack((past_hidden, x), 1))
        else:
            x = _continue(weights, cache, x, position=group)
        hidden = weights.decoder.finish(x)
        logits = hidden.mm(lm_head).float()
        codes.append(sample(logits, sampling, uniforms[:, group - 1 : group], top_k_top_p))
    return torch.stack(codes, 1)


def _open(weights: CodePredictorWeights, cache: CodePredictorCache, pair: Tensor) -> Tensor:
    """Run positions 0 and 1, `pair` `[B, 2, D_p]`; return position 1's state, `[B, D_p]`."""
    num_slots = pair.shape[0]
    rope = cache.rope.sequences(num_slots, 2)
    x = pair.flatten(0, 1)
    for layer, block in enumerate(weights.decoder.layers):
        attend = partial(_write_two, weights.decoder.heads, cache.key_value[layer, :num_slots, :2])
        x = decoder_layer(x, block, weights.decoder.heads, rope, attend)
    return x.view(num_slots, 2, -1)[:, 1]


def _write_two(heads: Heads, cached: Tensor, query: Tensor, key_value: Tensor) -> Tensor:
    cached.copy_(key_value.unflatten(0, (-1, 2)))
    return attend_causal(query, key_value, cached.shape[0], heads)


def _continue(
    weights: CodePredictorWeights, cache: CodePredictorCache, x: Tensor, position: int
) -> Tensor:
    """Run one position for all slots, `x` `[B, D_p]`; return its state, `[B, D_p]`."""
    rope = cache.rope.one(position)
    for layer, block in enumerate(weights.decoder.layers):
        attend = partial(_write_one, cache.key_value[layer, : x.shape[0], : position + 1])
        x = decoder_layer(x, block, weights.decoder.heads, rope, attend)
    return x


def _write_one(cached: Tensor, query: Tensor, key_value: Tensor) -> Tensor:
    cached[:, -1].copy_(key_value)
    return attend_cached(query, cached, None)
