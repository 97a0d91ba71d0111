"""The streaming decoder: the samples of one decode, however the frames arrive."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.codec.decoder import CodecState, decode_chunk
from qwen_tts_api.model.codec.loading import read_codec
from qwen_tts_api.model.codec.weights import CodecWeights
from tests.model.checkpoints import codec_of, parameters_of
from tests.model.test_talker import to_meta

TOLERANCE = 1e-5

REFERENCE_CHUNK, REFERENCE_CONTEXT = 300, 25
"""Upstream decodes 300 frames at a time, with 25 before them (`chunked_decode`'s defaults)."""


@pytest.fixture(scope="module")
def odd_codec(odd_decoder: Any) -> CodecWeights:
    """Return the odd codec, whose window of 17 frames is soon left behind."""
    return codec_of(odd_decoder)


@pytest.fixture(scope="module")
def nano_decoder(nano_wrapper: Any) -> Any:
    """Return upstream's decoder of nano's codec."""
    return nano_wrapper.model.speech_tokenizer.model.decoder


@pytest.fixture(scope="module")
def nano_codec(nano_decoder: Any) -> CodecWeights:
    """Return nano's codec, of the published rates and window."""
    return codec_of(nano_decoder)


def random_codes(weights: CodecWeights, num_rows: int, num_frames: int) -> Tensor:
    """Return codes `[B, n, G]`."""
    entries = weights.tables.shape[0] // weights.num_code_groups
    shape = (num_rows, num_frames, weights.num_code_groups)
    return torch.randint(0, entries, shape, generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def upstream_decode(decoder: Any, codes: Tensor) -> Tensor:
    """Decode `[B, T, G]` with upstream at once."""
    samples: Tensor = decoder(codes.transpose(1, 2)).squeeze(1)
    return samples


def chunked_decode(weights: CodecWeights, codes: Tensor) -> Tensor:
    """Decode whole utterances as upstream does, joins included: `[B, T, G]` -> `[B, T * 1920]`.

    It starts anew every 300 frames with 25 frames of context, which is not enough to be inaudible;
    up to 300 frames it is the decode of a stream. Source: upstream's `chunked_decode`.
    """
    num_rows, num_frames = codes.shape[:2]
    slots = torch.arange(num_rows, device=codes.device)
    samples = []
    for start in range(0, num_frames, REFERENCE_CHUNK):
        context = min(start, REFERENCE_CONTEXT)
        piece = codes[:, start - context : start + REFERENCE_CHUNK]
        decoded = decode_chunk(weights, CodecState.allocate(weights, num_rows), piece, slots)
        samples.append(decoded[:, context * weights.samples_per_frame :])
    return torch.cat(samples, 1)


@torch.inference_mode()
def stream(weights: CodecWeights, codes: Tensor, *schedule: int) -> Tensor:
    """Decode `[B, T, G]` in chunks of these sizes, the last one again and again."""
    state = CodecState.allocate(weights, len(codes))
    slots = torch.arange(len(codes))
    chunks, start, sizes = [], 0, list(schedule)
    while start < codes.shape[1]:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        chunks.append(decode_chunk(weights, state, codes[:, start : start + size], slots))
        start += size
    return torch.cat(chunks, 1)


def assert_close(ours: Tensor, expected: Tensor) -> None:
    """Compare samples."""
    torch.testing.assert_close(ours, expected, atol=TOLERANCE, rtol=0)


SCHEDULES = [(1,), (3,), (7,), (25,), (1, 2, 4, 8, 12), (200,)]


def test_any_schedule_gives_upstreams_samples(odd_decoder: Any, odd_codec: CodecWeights) -> None:
    """Of several times the window, and of as many samples as upstream's."""
    codes = random_codes(odd_codec, 2, 60)
    expected = upstream_decode(odd_decoder, codes)
    assert expected.shape == (2, 60 * 90)
    assert expected.std() > 0.01
    for schedule in SCHEDULES:
        assert_close(stream(odd_codec, codes, *schedule), expected)


def test_the_published_rates_and_window(nano_decoder: Any, nano_codec: CodecWeights) -> None:
    """1,920 samples a frame, 72 frames of attention."""
    codes = random_codes(nano_codec, 1, 80)
    assert nano_codec.samples_per_frame == 1920
    expected = upstream_decode(nano_decoder, codes)
    for schedule in ((1, 2, 4, 8, 12), (25,)):
        assert_close(stream(nano_codec, codes, *schedule), expected)


def test_slots_are_independent(odd_codec: CodecWeights) -> None:
    """Slots at different positions, in any order, with neighbours that come and go."""
    codes = random_codes(odd_codec, 3, 40)
    expected = stream(odd_codec, codes, 40)
    state = CodecState.allocate(odd_codec, 5)
    heard: list[list[Tensor]] = [[], [], []]
    done = [0, 0, 0]
    # Who is decoded when; slot 4 fills up the batch, twice where it has to.
    turns = [(0,), (0, 1), (2, 0), (1, 2), (2,), (0, 1, 2)] * 3
    with torch.inference_mode():
        for turn in turns:
            chunk = [codes[i, done[i] : done[i] + 3] for i in turn]
            slots = torch.tensor([3 - i for i in turn] + [4] * (4 - len(turn)))
            filler = [torch.zeros_like(codes[0, :3])] * (4 - len(turn))
            out = decode_chunk(odd_codec, state, torch.stack(chunk + filler), slots)
            for i, samples in zip(turn, out, strict=False):
                heard[i].append(samples)
                done[i] += 3
    for i in range(3):
        assert_close(torch.cat(heard[i]), expected[i, : done[i] * 90])
    assert [int(state.frames[3 - i]) for i in range(3)] == done


def test_a_slot_that_is_reset_begins_anew(odd_codec: CodecWeights) -> None:
    """And its neighbour goes on."""
    codes = random_codes(odd_codec, 2, 24)
    expected = stream(odd_codec, codes, 24)
    state, slots = CodecState.allocate(odd_codec, 2), torch.arange(2)
    with torch.inference_mode():
        decode_chunk(odd_codec, state, codes[:, :12], slots)
        state.reset(torch.tensor([0]))
        mixed = torch.stack((codes[0, :12], codes[1, 12:]))
        again = decode_chunk(odd_codec, state, mixed, slots)
    assert_close(again[0], expected[0, : 12 * 90])
    assert_close(again[1], expected[1, 12 * 90 :])


@pytest.mark.parametrize("num_frames", [7, 300, 330, 610])
def test_chunks_with_context_are_upstreams_decode(
    odd_decoder: Any, odd_codec: CodecWeights, num_frames: int
) -> None:
    """Joins and all; up to 300 frames a stream's samples are the same, and then no longer."""
    codes = random_codes(odd_codec, 1, num_frames)
    with torch.inference_mode():
        expected = odd_decoder.chunked_decode(codes.transpose(1, 2)).squeeze(1)
        assert_close(chunked_decode(odd_codec, codes), expected)
    streamed = stream(odd_codec, codes, 100)
    assert torch.allclose(streamed, expected, atol=TOLERANCE) == (num_frames <= 300)


def test_samples_are_clamped(odd_decoder: Any, odd_codec: CodecWeights) -> None:
    """To [-1, 1], as upstream's."""
    loud = copy.deepcopy(odd_decoder)
    loud.decoder[-1].conv.bias.data.fill_(5.0)
    codes = random_codes(odd_codec, 1, 3)
    assert upstream_decode(loud, codes).max() == 1
    assert stream(codec_of(loud), codes, 1).max() == 1


def test_sixteen_bits(odd_decoder: Any, odd_codec: CodecWeights) -> None:
    """A model in 16 bits has its state and its samples in 16 bits, close to 32."""
    codes = random_codes(odd_codec, 1, 20)
    expected = stream(odd_codec, codes, 20)
    decoder = copy.deepcopy(odd_decoder).bfloat16()
    weights = codec_of(decoder)
    samples = stream(weights, codes, 3)
    assert samples.dtype == CodecState.allocate(weights, 1).past.dtype == torch.bfloat16
    assert (samples.float() - expected).abs().mean() < 0.1 * expected.abs().mean()


def test_a_chunk_asks_nothing_of_the_host(odd_codec: CodecWeights) -> None:
    """Tensors without data cannot be read: whatever runs on them can be captured in a graph."""
    weights = to_meta(odd_codec)
    state = to_meta(CodecState.allocate(odd_codec, 4))
    codes = torch.empty(2, 3, 6, dtype=torch.int64, device="meta")
    with torch.inference_mode():
        samples = decode_chunk(weights, state, codes, codes[:, 0, 0])
    assert samples.shape == (2, 270)


def test_other_decoders_are_refused(odd_decoder: Any) -> None:
    """Rather than decoded wrongly."""
    config = odd_decoder.config.to_dict() | {"attention_bias": True}
    with pytest.raises(LoadError, match="attention_bias True"):
        read_codec(parameters_of(odd_decoder), config)
