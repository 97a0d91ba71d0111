"""Compare fused kernels of the codec with `decode_pcm`."""

from __future__ import annotations

import torch

from qwen_tts_api.engine.runner.kernels.comparison.rows import Differs, check_errors, errors_of
from qwen_tts_api.engine.runner.kernels.paths import MakeCodec
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.weights.placement import to_device

TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 0.3}
"""How far a stream's samples may be: the codec makes much of rounding. In bfloat16 the samples of
nano are 20 dB (a tenth) from those in float32, in float16 37 dB, by either path."""

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
    num_entries = weights.tables.shape[0] // weights.num_code_groups
    fused = make(weights)
    ours, plain = (CodecState.allocate(weights, NUM_STREAMS + 1) for _ in range(2))
    slots = to_device(range(NUM_STREAMS, 0, -1), torch.device(device))
    for num_frames in CHUNKS:
        shape = (NUM_STREAMS, num_frames, weights.num_code_groups)
        codes = torch.randint(num_entries, shape, device=device, generator=random)
        mine = fused.decode(ours, codes, slots)
        theirs = decode_pcm(weights, plain, codes, slots)
        if not torch.equal(ours.frames, plain.frames):
            raise Differs(f"frames is {ours.frames.tolist()} instead of {plain.frames.tolist()}")
        rows = range(NUM_STREAMS)
        check_errors("samples", errors_of(mine, theirs, rows), TOLERANCE[weights.dtype])
