"""Audio files to clone from, made on the spot."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import soundfile

KINDS = (
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "ULAW"),
    ("WAVEX", "PCM_24"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
)


def tone(seconds: float, rate_hz: int, channels: int = 1) -> npt.NDArray[np.float32]:
    """Return 440 Hz at half of full scale, `[n, channels]`."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * 440 * time)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encode(
    samples: npt.NDArray[np.float32], rate_hz: int = 24_000, kind: str = "WAV", codec: str = "FLOAT"
) -> bytes:
    """Return samples as an audio file."""
    file = io.BytesIO()
    channels = samples.shape[1] if samples.ndim == 2 else 1
    with soundfile.SoundFile(file, "w", rate_hz, channels, codec, format=kind) as sound:
        for begin in range(0, len(samples), 24_000):  # libvorbis keeps a whole write on the stack
            sound.write(samples[begin : begin + 24_000])
    return file.getvalue()


def recording(seconds: float = 2.0, kind: str = "WAV", codec: str = "PCM_16") -> bytes:
    """Return an audio file of a tone."""
    return encode(tone(seconds, 24_000), 24_000, kind, codec)
