"""A codec as small as one can be that has every kind of layer: kernels are interpreted here."""

from __future__ import annotations

import pytest
import torch

from qwen_tts_api.model.codec.weights import CodecWeights
from tests.model.checkpoints import codec_of, odd_codec

CODES = 32
TINY = {
    "codebook_dim": 12,
    "codebook_size": CODES,
    "decoder_dim": 12,
    "head_dim": 6,
    "hidden_size": 20,
    "intermediate_size": 24,
    "latent_dim": 18,
    "num_hidden_layers": 1,
    "num_quantizers": 3,
    "sliding_window": 7,
    "upsample_rates": [3],
    "upsampling_ratios": [2],
}
"""Of the odd codec; 6 samples a frame."""


@pytest.fixture(scope="session")
def tiny() -> CodecWeights:
    """Return the codec in float32."""
    return codec_of(odd_codec(**TINY))


@pytest.fixture(scope="session")
def tiny_half() -> CodecWeights:
    """Return it in float16: the interpreter does not compute bfloat16."""
    return codec_of(odd_codec(**TINY).half())


def random_codes(num_rows: int, num_frames: int, seed: int = 0) -> torch.Tensor:
    """Return codes of the tiny codec, `[B, n, G]`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, CODES, (num_rows, num_frames, 3), generator=generator)


def normal(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Return numbers around 0."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator).to(dtype)
