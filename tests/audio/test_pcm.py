"""Headers before bare samples."""

from __future__ import annotations

import io
import struct
import wave

import pytest

from qwen_tts_api.audio import SAMPLE_RATES_HZ
from qwen_tts_api.audio.encoders import ENCODERS
from tests.audio.decoding import RATE_HZ, in_pieces, voice
from tests.rows import for_each


@for_each("num_samples", [0, 1, 1920, 24_001])
@for_each("rate_hz", SAMPLE_RATES_HZ)
def test_wav_is_what_python_reads(rate_hz: int, num_samples: int) -> None:
    """A finished 44-byte header with true sizes, then exactly the samples."""
    data = ENCODERS["wav"].encode(voice(num_samples), rate_hz)
    assert len(data) == 44 + 2 * num_samples
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate_hz, 1, 2)
        assert file.readframes(num_samples + 1) == voice(num_samples).tobytes()


def test_wav_in_pieces_has_no_size() -> None:
    """0xFFFFFFFF in both sizes, which players read as: until the end."""
    samples = voice(5000)
    chunks = in_pieces(ENCODERS["wav"].stream(RATE_HZ, None), samples, [1920, 3080])
    data = b"".join(chunks)
    assert struct.unpack("<I", data[4:8]) == struct.unpack("<I", data[40:44]) == (0xFFFFFFFF,)
    assert data[8:40] == ENCODERS["wav"].encode(samples, RATE_HZ)[8:40]
    assert data[44:] == samples.tobytes()
    assert len(chunks[0]) == 44 + 2 * 1920


def test_pcm_is_the_samples() -> None:
    """Little-endian, nothing else."""
    assert ENCODERS["pcm"].encode(voice(99), RATE_HZ) == voice(99).tobytes()


@pytest.mark.parametrize(("name", "header"), [("au", 24), ("aiff", 54)])
def test_big_endian_files_have_true_sizes(name: str, header: int) -> None:
    """And the samples behind a header of known length."""
    data = ENCODERS[name].encode(voice(1000), RATE_HZ)
    assert len(data) == header + 2000
    assert data[header:] == voice(1000).astype(">i2").tobytes()
    if name == "aiff":
        assert int.from_bytes(data[4:8], "big") == len(data) - 8
    else:
        assert int.from_bytes(data[8:12], "big") == 2000
