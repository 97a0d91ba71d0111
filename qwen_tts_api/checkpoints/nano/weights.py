"""Initialize every tensor of a nano checkpoint with random weights of suitable scales.

A tensor's values depend on its name, shape and `SEED` only, not on the order of sampling, so that
all kinds of checkpoints share their common tensors. numpy's generator is used, since torch's is not
reproducible across vector instruction sets.

By default a weight has a standard deviation of 1 / sqrt(fan-in), so that a layer maps inputs of
variance 1 to outputs of variance 1. `_RULES` has the exceptions.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping

import numpy as np
import torch

from qwen_tts_api.checkpoints.nano.configs import CODEBOOK_SIZE

Weights = dict[str, torch.Tensor]
Shape = tuple[int, ...]
Rule = Callable[[str, Shape], torch.Tensor]

SEED = 12


def sample_all(shapes: Mapping[str, Shape]) -> Weights:
    """Sample every tensor in `shapes`, in float32."""
    return {name: _sample(name, shape) for name, shape in shapes.items()}


def _sample(name: str, shape: Shape) -> torch.Tensor:
    for pattern, rule in _RULES:
        if pattern.search(name):
            return rule(name, shape)
    if name.endswith(".bias"):
        return normal(name, shape, 0.1)
    return _by_fan_in(1.0)(name, shape)


def normal(name: str, shape: Shape, std: float) -> torch.Tensor:
    """Sample independent normal numbers from a generator seeded by `name` and `SEED`."""
    digest = hashlib.sha256(f"{SEED}:{name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    return torch.from_numpy((generator.standard_normal(shape) * std).astype(np.float32))


def _std(std: float) -> Rule:
    return lambda name, shape: normal(name, shape, std)


def _fill(value: float) -> Rule:
    return lambda name, shape: torch.full(shape, value)


def _by_fan_in(gain: float) -> Rule:
    """Scale by fan-in: the product of all but the first dimension of `shape`."""
    return lambda name, shape: normal(name, shape, gain / math.sqrt(math.prod(shape[1:])))


def _transposed_convolution(name: str, shape: Shape) -> torch.Tensor:
    """Scale by fan-in for `[in, out, kernel]`, with two taps per output (stride: half a kernel).

    The first two upsampling stages have one tap per output (stride: a kernel).
    """
    taps = 1 if ".upsample." in name else 2
    return normal(name, shape, 1 / math.sqrt(shape[0] * taps))


def _centred(gain: float) -> Rule:
    """Scale by fan-in, with weights that sum to zero over the input channels.

    The layer ignores the mean of its inputs: the level of a log-mel spectrum and the mean of
    rectified features, which do not characterize a voice.
    """

    def rule(name: str, shape: Shape) -> torch.Tensor:
        weight = _by_fan_in(gain)(name, shape)
        return weight - weight.mean(dim=1, keepdim=True)

    return rule


def _low_pass(name: str, shape: Shape) -> torch.Tensor:
    """Make the last convolution a low-pass filter; the output would be white noise otherwise.

    With it 98 % of the audio's power is below 4 kHz, and its RMS is about 0.1.
    """
    window = torch.hann_window(shape[2] + 2, periodic=False)[1:-1]
    return normal(name, (*shape[:2], 1), 0.005) * window


def _code_0_embedding(name: str, shape: Shape) -> torch.Tensor:
    """Scale the embedding of a special id to the norm of a frame's, a sum of sixteen codes.

    RMSNorm divides by that norm, and `duration.py` compares text positions, each with a special id,
    with frames.
    """
    embedding = normal(name, shape, 0.6)
    embedding[CODEBOOK_SIZE:] *= 0.86 / 0.6
    return embedding


def _residual_codebook(name: str, shape: Shape) -> torch.Tensor:
    """Scale the encoder's codebooks down from stage to stage.

    Random entries halve the residual that they quantise, at any scale. With a faster decrease the
    later stages would choose by rounding errors.
    """
    stage = int(re.findall(r"layers\.(\d+)\.", name)[-1])
    return normal(name, shape, 0.85**stage)


def _rules(table: Mapping[str, Rule]) -> list[tuple[re.Pattern[str], Rule]]:
    return [(re.compile(pattern), rule) for pattern, rule in table.items()]


# The first match decides.
_RULES = _rules(
    {
        # All: norms are the identity; every codebook entry was used once.
        r"norm\w*\.weight$": _fill(1.0),
        r"norm\w*\.bias$": _fill(0.0),
        r"(cluster_usage|initialized)$": _fill(1.0),
        # Talker. A frame's embedding is the sum of code 0 (variance 0.36), fifteen more codes (0.38
        # together) and a text embedding (about 0.25), so that none dominates.
        r"talker\.model\.text_embedding": _std(1.0),
        r"text_projection\.linear_fc2\.weight": _by_fan_in(0.85),
        r"talker\.model\.codec_embedding": _code_0_embedding,
        r"code_predictor\.model\.codec_embedding": _std(0.16),
        r"talker\.model\.layers.*\.mlp\.down_proj": _by_fan_in(0.8),
        # Logits with a standard deviation of 3: greedy decoding rarely meets a near-tie, and
        # sampling at temperature 0.9 still has a dozen codes to choose from.
        r"talker\.codec_head": _by_fan_in(2.0),
        r"code_predictor\.lm_head": _by_fan_in(3.0),
        # The predictor's inputs must dominate its layers, or all frames sound alike.
        r"small_to_mtp_projection\.weight": _by_fan_in(4.0),
        # Speaker encoder; ReLU halves the variance.
        r"speaker_encoder\.blocks\.0\.conv\.weight": _centred(1.4),
        r"speaker_encoder\.fc\.weight": _centred(0.4),
        r"speaker_encoder\..*conv\.weight": _by_fan_in(1.4),
        # Codec, decoding side.
        r"rvq_first\.vq\..*embedding_sum": _std(0.7),
        r"rvq_rest\.vq\..*embedding_sum": _std(0.2),
        r"(layer_scale\.scale|\.gamma)$": _fill(0.3),
        r"\.(alpha|beta)$": _std(0.2),
        r"decoder\.(upsample\.\d\.0|decoder\.\d\.block\.1)\.conv\.weight": _transposed_convolution,
        r"block\.\d\.conv2\.conv\.weight": _by_fan_in(0.5),
        r"decoder\.decoder\.6\.conv\.weight": _low_pass,
        r"decoder\.decoder\.6\.conv\.bias": _fill(0.03),  # measured: brings the mean to 0
        # Codec, encoding side. Speech has an amplitude of about 0.1.
        r"encoder\.encoder\.layers\.0\.conv\.weight": _by_fan_in(10.0),
        r"residual_vector_quantizer.*embed_sum": _residual_codebook,
    }
)
