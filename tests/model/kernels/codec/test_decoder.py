"""A chunk in fused launches: the plain decoder's samples and state, and fewer than 200 launches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.kernels.codec.decoder import FusedCodec
from qwen_tts_api.model.kernels.tiles import CodecTiles, Tile
from tests.model.kernels.codec.conftest import random_codes

TILES = CodecTiles(Tile(rows=64, columns=32, inner=32), Tile(rows=64, columns=64, inner=32))
"""Of fewer programs than on a GPU, but not of one: that would hide much."""

SCHEDULE = (1, 2, 4, 24)


@torch.inference_mode()
def decoded(
    codec: FusedCodec | CodecWeights, state: CodecState, codes: Tensor, slots: Tensor, *sizes: int
) -> Tensor:
    """Decode chunks of these sizes."""
    chunks = [
        codec.decode(state, part, slots)
        if isinstance(codec, FusedCodec)
        else decode_pcm(codec, state, part, slots)
        for part in codes.split(list(sizes), 1)
    ]
    return torch.cat(chunks, 1)


@pytest.mark.parametrize("slots", [(2,), (3, 0, 1), (4, 1, 0, 3, 2)])
def test_chunks_are_the_plain_decoders(tiny: CodecWeights, slots: tuple[int, ...]) -> None:
    """In any slots, with the state that each leaves for the next; other slots keep theirs."""
    ours, plain = (CodecState.allocate(tiny, 6) for _ in range(2))
    for state in (ours, plain):
        state.past[5].fill_(7)
    index, codes = torch.tensor(slots), random_codes(len(slots), 7)
    expected = decoded(tiny, plain, codes, index, *SCHEDULE[:3])
    samples = decoded(FusedCodec(tiny, TILES), ours, codes, index, *SCHEDULE[:3])
    assert expected.float().std() > 300
    assert samples.dtype is torch.int16
    torch.testing.assert_close(samples, expected, atol=1, rtol=0)
    torch.testing.assert_close(ours.past, plain.past, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.key_value, plain.key_value, atol=1e-5, rtol=1e-5)
    assert torch.equal(ours.frames, plain.frames)
