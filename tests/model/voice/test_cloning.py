"""Recordings: upstream's voice prompt, and the codec's stream at their end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.model.codec.decoder import CodecState, decode_chunk, stream_after
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Reference
from qwen_tts_api.model.voice.cloning import clone
from qwen_tts_api.model.weights.placement import Placement
from tests.model.checkpoints import codec_of, load_nano
from tests.model.codec.test_decoder import random_codes
from tests.rows import for_each


@pytest.fixture(scope="module")
def base_wrapper(nano_cache: Any) -> Any:
    """Return a Base model as upstream's `Qwen3TTSModel`."""
    return load_nano("nano-base", nano_cache)


@pytest.fixture(scope="module")
def base(nano_cache: Any) -> LoadedModel:
    """Return the same model as ours."""
    folder = ensure_nano("nano-base", nano_cache)
    return LoadedModel.load(Checkpoint.read(folder), Placement("cpu", "float32", "sdpa"))


@pytest.fixture(scope="module", params=["odd", "nano"])
def codec(request: pytest.FixtureRequest, odd_decoder: Any, base_wrapper: Any) -> CodecWeights:
    """Return a codec of another shape, and one of the published rates and window."""
    nano = base_wrapper.model.speech_tokenizer.model.decoder
    return codec_of(odd_decoder if request.param == "odd" else nano)


@pytest.mark.parametrize(
    ("num_samples", "x_vector_only"), [(24_000, False), (31_999, False), (31_999, True)]
)
def test_a_clone_is_upstream_s_prompt(
    base_wrapper: Any, base: LoadedModel, num_samples: int, x_vector_only: bool
) -> None:
    """Embedding and codes, for whole frames and for a part of one at the end."""
    samples = np.random.default_rng(3).normal(0, 0.2, num_samples).astype(np.float32)
    [item] = base_wrapper.create_voice_clone_prompt(
        (samples, SAMPLE_RATE_HZ), "Words.", x_vector_only
    )
    ids = range(9)
    assert base.encoders is not None
    with torch.inference_mode():
        reference = Reference(samples, "Words.", x_vector_only)
        ours = clone(base.encoders, base.codec, reference, ids)
    assert torch.equal(ours.voice.speaker, item.ref_spk_embedding)
    if x_vector_only:
        assert ours.voice.reference_codes is None
        assert ours.voice.reference_ids is None
        assert ours.stream is None
    else:
        assert ours.voice.reference_codes is not None
        assert torch.equal(ours.voice.reference_codes, item.ref_code)
        assert ours.voice.reference_ids is ids
        assert ours.stream is not None
        assert int(ours.stream.frames) == -(-num_samples // 1920)


@for_each("num_frames", [1, 40, 80])
def test_a_stream_goes_on_as_if_it_had_decoded_all(codec: CodecWeights, num_frames: int) -> None:
    """From fewer frames than the decoder looks back at, and from more than the window has."""
    codes = random_codes(codec, 1, num_frames + 9)
    slots = torch.zeros(1, dtype=torch.int64)
    with torch.inference_mode():
        whole = decode_chunk(codec, CodecState.allocate(codec, 1), codes, slots)
        state = CodecState.allocate(codec, 3)
        state.past.fill_(9)  # of somebody else before
        state.put(2, stream_after(codec, codes[0, :num_frames]))
        ours = decode_chunk(codec, state, codes[:, num_frames:], slots + 2)
    expected = whole[:, num_frames * codec.samples_per_frame :]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_a_frame_less_than_the_reach_would_not_do(odd_decoder: Any) -> None:
    """What is computed of the recording is little, and as much as is needed."""
    codec = codec_of(odd_decoder)
    assert codec.decoder_reach_frames < 30
    codes = random_codes(codec, 1, 60)[0]
    with torch.inference_mode():
        exact, short = stream_after(codec, codes), stream_after(codec, codes[-3:])
    assert not torch.allclose(exact.past, short.past, atol=1e-3)


def test_loud_samples_are_clipped(base: LoadedModel, capsys: pytest.CaptureFixture[str]) -> None:
    """Where upstream prints a warning to stdout."""
    assert base.encoders is not None
    loud = 3 * np.random.default_rng(3).normal(0, 1, 24_000).astype(np.float32)
    reference = Reference(loud, x_vector_only=True)
    with torch.inference_mode():
        ours = clone(base.encoders, base.codec, reference, range(9))
    assert torch.isfinite(ours.voice.speaker).all()
    assert capsys.readouterr().out == ""


def test_only_a_text_can_be_continued() -> None:
    """Refused as soon as it is made."""
    with pytest.raises(ValueError, match="text is known"):
        Reference(np.zeros(8, np.float32))


def test_the_key_is_the_content() -> None:
    """Where the embedding alone is wanted, the text plays no part."""
    samples = np.arange(8, dtype=np.float32)
    assert Reference(samples, "a").key == Reference(samples.copy(), "a").key
    assert Reference(samples, "a", True).key == Reference(samples, "b", True).key
    keys = {Reference(samples, "a"), Reference(samples, "b"), Reference(samples, "a", True)}
    assert len({reference.key for reference in keys}) == 3
