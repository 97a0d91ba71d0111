"""A chunk in fused launches: the plain decoder's samples and state, and fewer than 200 launches."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from bench.launches import storage_of
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.kernels.codec.decoder import FusedCodec
from qwen_tts_api.model.kernels.tiles import CodecTiles, Tile
from qwen_tts_api.model.weights.parameters import storage_bytes
from tests.model.kernels.codec.conftest import random_codes

LARGE = Tile(rows=64, columns=64, inner=32)
TILES = CodecTiles(
    convolution=Tile(rows=64, columns=32, inner=32, more=LARGE, more_above=100),
    norm_product=LARGE,
)
"""Of fewer programs than on a GPU, but not of one: that would hide much."""


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


@pytest.mark.parametrize(
    ("slots", "schedule"),
    [
        ((3, 0), (1, 2)),
        pytest.param((3, 0, 1), (4, 3), marks=pytest.mark.slow),
        pytest.param((2,), (1, 2, 4, 24), marks=pytest.mark.slow),
        pytest.param((4, 1, 0, 3, 2), (1, 2, 4), marks=pytest.mark.slow),
    ],
)
def test_chunks_are_the_plain_decoders(
    tiny: CodecWeights, slots: tuple[int, ...], schedule: tuple[int, ...]
) -> None:
    """In any slots, with the state that each leaves for the next; other slots keep theirs."""
    ours, plain = (CodecState.allocate(tiny, 6) for _ in range(2))
    for state in (ours, plain):
        state.past[5].fill_(7)
    index, codes = torch.tensor(slots), random_codes(len(slots), sum(schedule))
    expected = decoded(tiny, plain, codes, index, *schedule)
    samples = decoded(FusedCodec(tiny, TILES), ours, codes, index, *schedule)
    assert expected.float().std() > 300
    assert samples.dtype is torch.int16
    torch.testing.assert_close(samples, expected, atol=1, rtol=0)
    torch.testing.assert_close(ours.past, plain.past, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.key_value, plain.key_value, atol=1e-5, rtol=1e-5)
    assert torch.equal(ours.frames, plain.frames)


def test_it_has_no_copy_of_kernels_with_channels_last(tiny: CodecWeights) -> None:
    """Of published ones that would be 112 MB; and storing them so changes no sample."""
    weights = copy.deepcopy(tiny)
    codec = FusedCodec(weights, TILES)
    copies = bytes_beside(weights, codec)
    weights.to_channels_last()
    relaid = FusedCodec(weights, TILES)
    kernels = [stage.weight for stage in weights.streaming_stages() if stage.weight.shape[1] > 1]
    assert storage_bytes(weights) == storage_bytes(tiny)
    assert copies - bytes_beside(weights, relaid) == sum(
        each.nbytes for each in kernels if each.shape[2] > 1
    )
    slots, codes = torch.tensor([0]), random_codes(1, 1)
    states = [CodecState.allocate(tiny, 1) for _ in range(3)]
    samples = decoded(codec, states[0], codes, slots, 1)
    assert torch.equal(decoded(relaid, states[1], codes, slots, 1), samples)
    plain = decoded(weights, states[2], codes, slots, 1)
    torch.testing.assert_close(plain, samples, atol=1, rtol=0)


def bytes_beside(weights: CodecWeights, codec: FusedCodec) -> int:
    """Return the bytes of what a fused codec has besides the plain decoder's weights."""
    tensors = list(tensors_of((weights, codec)))
    storages = {storage_of(each): each.untyped_storage().nbytes() for each in tensors}
    return sum(storages.values()) - storage_bytes(weights)


def tensors_of(value: object) -> Iterator[Tensor]:
    """Yield all tensors of an object, and of those within."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_of(item)
    else:
        yield from tensors_of([*getattr(value, "__dict__", {}).values()])


@pytest.mark.slow
def test_samples_are_the_same_to_the_bit_in_any_company_and_chunks(tiny_half: CodecWeights) -> None:
    """Alone in chunks, or with others at once: no sum depends on the batch or on the chunk."""
    codec, codes = FusedCodec(tiny_half, TILES), random_codes(3, 3)
    together = CodecState.allocate(tiny_half, 4)
    at_once = decoded(codec, together, codes, torch.tensor([1, 3, 0]), 3)
    alone = CodecState.allocate(tiny_half, 1)
    in_chunks = decoded(codec, alone, codes[1:2], torch.tensor([0]), 1, 2)
    assert at_once[1].float().std() > 300
    assert torch.equal(in_chunks[0], at_once[1])
    assert torch.equal(alone.past[0], together.past[3])
    assert torch.equal(alone.key_value[0], together.key_value[3])


@pytest.mark.slow
def test_float16_is_the_plain_decoders_within_rounding(tiny_half: CodecWeights) -> None:
    """A long chunk after a short one."""
    ours, plain = (CodecState.allocate(tiny_half, 1) for _ in range(2))
    index, codes = torch.tensor([0]), random_codes(1, 26)
    expected = decoded(tiny_half, plain, codes, index, 2, 24).float()
    error = decoded(FusedCodec(tiny_half, TILES), ours, codes, index, 2, 24).float() - expected
    assert error.norm() < 0.01 * expected.norm()
