"""Compare fused kernels of the codec with `decode_pcm`.

The codec makes much of rounding: with random weights as published, samples in bfloat16 are a
quarter from those in float32. So both are compared with a decode in float32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.kernels.comparison.rows import Differs, errors_of
from qwen_tts_api.engine.runner.kernels.paths import MakeCodec
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.weights.placement import to_device

TOLERANCE = 1e-3
"""How far a stream's samples may be from those in float32, relative to them ..."""

TIMES_PLAIN = 2.0
"""... and beyond that, as far as this many times those of `decode_pcm`. They are as far as those,
or nearer, where a kernel does no more than round."""

NUM_STREAMS = 3
CHUNKS = (1, 4, 24, 2)
"""Frames of the chunks that are compared, one after another."""


@torch.inference_mode()
def compare_codec(weights: CodecWeights, make: MakeCodec) -> None:
    """Compare successive chunks of a few streams, with random codes.

    Args:
        weights: The codec's.
        make: Makes what is compared.

    Raises:
        Differs: It is not `decode_pcm`, within rounding.
        Exception: Whatever compiling and running it raises.
    """
    device = weights.tables.device
    random = torch.Generator(device).manual_seed(0)
    fused, exact_weights = make(weights), in_float32(weights)
    ours, plain = (CodecState.allocate(weights, NUM_STREAMS + 1) for _ in range(2))
    exact = CodecState.allocate(exact_weights, NUM_STREAMS + 1)
    slots = to_device(range(NUM_STREAMS, 0, -1), torch.device(device))
    for num_frames in CHUNKS:
        codes = random_codes(weights, NUM_STREAMS, num_frames, random)
        mine = fused.decode(ours, codes, slots)
        with whole_float32():
            theirs = decode_pcm(weights, plain, codes, slots)
            right = decode_pcm(exact_weights, exact, codes, slots)
        if not torch.equal(ours.frames, plain.frames):
            raise Differs(f"frames is {ours.frames.tolist()} instead of {plain.frames.tolist()}")
        _check(mine, theirs, right)


def _check(mine: Tensor, theirs: Tensor, right: Tensor) -> None:
    rows = range(len(right))
    for error, usual in zip(
        errors_of(mine, right, rows), errors_of(theirs, right, rows), strict=True
    ):
        if not error <= TIMES_PLAIN * usual + TOLERANCE:  # NaN is not, either
            raise Differs(
                f"samples are off by {error:.2g} of their size, those of PyTorch's operators by "
                f"{usual:.2g}"
            )


def random_codes(
    weights: CodecWeights, num_streams: int, num_frames: int, random: torch.Generator
) -> Tensor:
    """Return codes of some streams, `[num_streams, num_frames, groups]`."""
    num_entries = weights.tables.shape[0] // weights.num_code_groups
    shape = (num_streams, num_frames, weights.num_code_groups)
    return torch.randint(num_entries, shape, device=weights.tables.device, generator=random)


@contextmanager
def whole_float32() -> Iterator[None]:
    """Let cuDNN multiply float32 as they are: it would take 10 bits of each fraction."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def in_float32(weights: Any) -> Any:
    """Return weights with all their tensors in float32, those that are not integers."""
    if isinstance(weights, Tensor):
        return weights.float() if weights.is_floating_point() else weights
    if isinstance(weights, (list, tuple)):
        return type(weights)(map(in_float32, weights))
    if dataclasses.is_dataclass(weights) and not isinstance(weights, type):
        values = {each.name: getattr(weights, each.name) for each in dataclasses.fields(weights)}
        return dataclasses.replace(
            weights, **{name: in_float32(value) for name, value in values.items()}
        )
    return weights
