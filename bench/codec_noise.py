"""How far the codec's samples in 16 bits are from those in float32, by either path."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.kernels.comparison.codec import (
    in_float32,
    random_codes,
    whole_float32,
)
from qwen_tts_api.engine.runner.kernels.paths import MakeCodec
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights

NUM_STREAMS, NUM_FRAMES = 3, 24


@torch.inference_mode()
def signal_to_noise(weights: CodecWeights, fused: MakeCodec | None) -> dict[str, float]:
    """Return in dB how far the noise of rounding is below the samples, of random codes.

    Args:
        weights: In the format that is looked at.
        fused: Makes the fused kernels; None where there are none.
    """
    device = weights.tables.device
    random = torch.Generator(device).manual_seed(0)
    codes = random_codes(weights, NUM_STREAMS, NUM_FRAMES, random)
    slots = torch.arange(NUM_STREAMS, device=device)

    def state(of: CodecWeights) -> CodecState:
        return CodecState.allocate(of, NUM_STREAMS + 1)

    exact_weights = in_float32(weights)
    with whole_float32():
        exact = decode_pcm(exact_weights, state(exact_weights), codes, slots)
        plain = decode_pcm(weights, state(weights), codes, slots)
    ratios = {"plain_db": _ratio_db(exact, plain)}
    if fused is not None:
        ratios["fused_db"] = _ratio_db(exact, fused(weights).decode(state(weights), codes, slots))
    return ratios


def _ratio_db(exact: Tensor, rounded: Tensor) -> float:
    signal = exact.double().square().sum().item()
    noise = (rounded.double() - exact.double()).square().sum().item()
    return round(10 * math.log10(max(signal, 1) / max(noise, 1)), 1)
