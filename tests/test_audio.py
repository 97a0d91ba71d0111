"""Audio files are well-formed at every length, whole and in pieces."""

from __future__ import annotations

import io
import struct
import threading
import wave

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from qwen_tts_api.audio import FORMATS, encode_ogg, encode_wav

RATE_HZ = 24_000


def tone(samples: int) -> npt.NDArray[np.int16]:
    """Return a tone of `samples` int16 samples."""
    pcm: npt.NDArray[np.int16] = (16000 * np.sin(np.arange(samples) * 0.05)).astype(np.int16)
    return pcm


def in_pieces(name: str, samples: npt.NDArray[np.int16], size: int) -> list[bytes]:
    """Encode samples in pieces of `size`; return the bytes after each, and the rest."""
    encoder = FORMATS[name].encoder(RATE_HZ)
    chunks = [
        encoder.encode(samples[start : start + size]) for start in range(0, len(samples), size)
    ]
    return [*chunks, encoder.finish()]


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


@pytest.mark.parametrize("size", [1920, 5 * 1920, 100_000])
def test_ogg_in_pieces_is_the_same_audio(size: int) -> None:
    """However the samples come; and bytes leave long before the end."""
    samples = np.random.default_rng(0).integers(-8000, 8000, 4 * RATE_HZ, dtype=np.int16)
    chunks = in_pieces("ogg", samples, size)
    assert chunks[0][:4] == b"OggS"
    decoded, _ = soundfile.read(io.BytesIO(b"".join(chunks)), dtype="int16")
    whole, _ = soundfile.read(io.BytesIO(encode_ogg(samples, RATE_HZ)), dtype="int16")
    assert len(decoded) == len(samples)
    # The encoder's choices depend on how the samples come, by less than anyone hears.
    assert np.abs(decoded.astype(int) - whole).mean() < 1000
    if size == 1920:
        assert sum(map(len, chunks[: RATE_HZ // size])) > 5000


def test_wav_in_pieces_has_no_size() -> None:
    """0xFFFFFFFF in both sizes, which players read as: until the end."""
    samples = tone(5000)
    chunks = in_pieces("wav", samples, 1920)
    data = b"".join(chunks)
    assert struct.unpack("<I", data[4:8]) == struct.unpack("<I", data[40:44]) == (0xFFFFFFFF,)
    assert data[8:40] == encode_wav(samples, RATE_HZ)[8:40]
    assert data[44:] == samples.tobytes()
    assert len(chunks[0]) == 44 + 2 * 1920


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_samples_at_all(name: str) -> None:
    """Still a file of its format."""
    whole = FORMATS[name].encode(tone(0), RATE_HZ)
    assert b"".join(in_pieces(name, tone(0), 1))[:4] == whole[:4]


def test_pcm_is_the_samples() -> None:
    """Little-endian, nothing else."""
    assert FORMATS["pcm"].encode(tone(99), RATE_HZ) == tone(99).tobytes()
    assert b"".join(in_pieces("pcm", tone(99), 10)) == tone(99).tobytes()


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


def test_formats_have_their_media_types() -> None:
    """Clients choose their decoder by it."""
    assert {name: entry.media_type for name, entry in FORMATS.items()} == {
        "wav": "audio/wav",
        "ogg": "audio/ogg",
        "pcm": "audio/pcm",
    }
