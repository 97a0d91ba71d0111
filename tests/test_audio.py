"""Audio files are well-formed at every length."""

from __future__ import annotations

import io
import threading
import wave

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from qwen_tts_api.audio import FORMATS, encode_ogg, encode_wav, to_int16

RATE_HZ = 24_000


def tone(samples: int) -> npt.NDArray[np.int16]:
    """Return a tone of `samples` int16 samples."""
    return to_int16(0.5 * np.sin(np.arange(samples) * 0.05).astype(np.float32))


@pytest.mark.parametrize("samples", [0, 1, 1920, 24_000, 24_001])
def test_wav_is_what_python_reads(samples: int) -> None:
    """A finished 44-byte header with true sizes, then exactly the samples."""
    data = encode_wav(tone(samples), RATE_HZ)
    assert len(data) == 44 + 2 * samples
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        assert file.readframes(samples + 1) == tone(samples).tobytes()


@pytest.mark.parametrize("samples", [1920, 24_000, 100_001])
def test_ogg_decodes_to_the_same_length_and_sound(samples: int) -> None:
    """Vorbis is lossy, but neither longer nor shorter, and close to what went in."""
    decoded, rate_hz = soundfile.read(io.BytesIO(encode_ogg(tone(samples), RATE_HZ)))
    assert (len(decoded), rate_hz) == (samples, RATE_HZ)
    assert np.abs(decoded - tone(samples) / 32768).mean() < 0.02


def test_ten_minutes_of_ogg_survive_a_small_stack() -> None:
    """The encoder keeps a whole write on the stack; in one write this would end the process."""
    noise = np.random.default_rng(0).integers(-8000, 8000, 600 * RATE_HZ, dtype=np.int16)
    files = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: files.append(encode_ogg(noise, RATE_HZ)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert soundfile.info(io.BytesIO(files[0])).frames == len(noise)


def test_int16_clips_and_rounds() -> None:
    """What lies outside [-1, 1] does not wrap around."""
    samples = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0], np.float32)
    assert to_int16(samples).tolist() == [-32767, -32767, 0, 16384, 32767, 32767]


def test_formats_have_their_media_types() -> None:
    """Clients choose their decoder by it."""
    assert {name: entry.media_type for name, entry in FORMATS.items()} == {
        "wav": "audio/wav",
        "ogg": "audio/ogg",
    }
