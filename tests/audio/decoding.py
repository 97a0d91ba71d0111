"""Signals to encode, and a decoder that is not ours: libsndfile's."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import soundfile

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoder import Encoder, Samples

RATE_HZ = 24_000

MP3_DELAY, MP3_SILENCE = 1105, 2400
"""How much silence MP3 has before the audio, and at most in all; in samples."""

RAW_SUBTYPES = {"pcm": "PCM_16", "mulaw": "ULAW", "alaw": "ALAW"}
"""What soundfile calls the samples of formats without a header, by name."""


def voice(num_samples: int, rate_hz: int = RATE_HZ, pitch_hz: float = 130) -> Samples:
    """Return what resembles a voice: 20 harmonics, loud and soft by turns."""
    return _voice(num_samples, rate_hz, pitch_hz).copy()


@cache
def _voice(num_samples: int, rate_hz: int, pitch_hz: float) -> Samples:
    time_s = np.arange(num_samples) / rate_hz
    harmonics = np.arange(1, 21)[:, None]
    phases = 2 * np.pi * pitch_hz * harmonics * time_s + harmonics**2
    voiced = (np.sin(phases) / harmonics).sum(0) * (1.2 + np.sin(2 * np.pi * 3 * time_s))
    samples: Samples = (5000 * voiced).astype(np.int16)
    return samples


def sizes(total: int, seed: int) -> list[int]:
    """Return sizes of pieces that add up to `total`, from none to a second."""
    random = np.random.default_rng(seed)
    found: list[int] = []
    while sum(found) < total:
        size = int(random.choice([0, 1, 480, 1920, 7919, RATE_HZ]))
        found.append(min(size, total - sum(found)))
    return found


def in_pieces(encoder: Encoder, samples: Samples, pieces: list[int]) -> list[bytes]:
    """Encode samples in pieces of these sizes; return the bytes after each, and the rest."""
    ends = np.cumsum(pieces)
    parts = [samples[end - size : end] for size, end in zip(pieces, ends, strict=True)]
    return [*map(encoder.encode, parts), encoder.finish()]


def decode(name: str, data: bytes, rate_hz: int) -> Samples:
    """Return the samples of a file, and check its rate."""
    raw = {"samplerate": rate_hz, "channels": 1, "format": "RAW", "subtype": RAW_SUBTYPES.get(name)}
    if name in RAW_SUBTYPES and not data:
        return np.zeros(0, np.int16)
    with soundfile.SoundFile(io.BytesIO(data), **(raw if name in RAW_SUBTYPES else {})) as file:
        assert (file.samplerate, file.channels) == (rate_hz, 1)
        samples: Samples = file.read(dtype="int16")
    return samples


def audible(name: str, decoded: Samples, num_samples: int) -> Samples:
    """Return what went in, without the silence that MP3 has at either end.

    It is 1105 samples before the audio, and what fills the last frames after it.
    """
    if name != "mp3":
        return decoded
    assert MP3_DELAY < len(decoded) - num_samples <= MP3_SILENCE
    return decoded[MP3_DELAY : MP3_DELAY + num_samples]


def difference(one: Samples, other: Samples) -> float:
    """Return the mean difference of samples, as a part of the mean loudness of the second."""
    loudness = np.abs(other.astype(int)).mean() or 1
    return float(np.abs(one.astype(int) - other).mean() / loudness)


def rates() -> list[tuple[str, int]]:
    """Return every format with every rate that it has."""
    return [(name, hz) for name, entry in FORMATS.items() for hz in entry.sample_rates_hz]


def peak_hz(samples: Samples, rate_hz: int, around_hz: float) -> float:
    """Return the strongest frequency within a fifth of `around_hz`."""
    strengths = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 20))
    frequencies = np.fft.rfftfreq(1 << 20, 1 / rate_hz)
    near = np.abs(frequencies / around_hz - 1) < 0.2
    return float(frequencies[near][strengths[near].argmax()])
