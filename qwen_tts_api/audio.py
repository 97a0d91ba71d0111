"""From samples to the bytes of an audio file."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

# libvorbis keeps all samples of one write on the C stack: a write of ten minutes ends the process
# with SIGSEGV, and on a thread's small stack five seconds do. One second at a time is safe.
SAMPLES_PER_WRITE = 24_000


@dataclass(frozen=True)
class AudioFormat:
    """A container and codec that audio can be sent in.

    Attributes:
        name: What requests call it.
        media_type: Its HTTP `Content-Type`.
        encode: From int16 samples `[n]` and their rate in Hz to a whole file.
    """

    name: str
    media_type: str
    encode: Callable[[npt.NDArray[np.int16], int], bytes]


def to_int16(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Convert float samples in [-1, 1] to 16 bits; what lies outside is clipped."""
    pcm: npt.NDArray[np.int16] = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
    return pcm


def encode_wav(samples: npt.NDArray[np.int16], sample_rate_hz: int) -> bytes:
    """Return a WAV file: a finished 44-byte header and little-endian PCM, mono."""
    data = samples.astype("<i2", copy=False).tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16),
        *(b"data", len(data)),
    )
    return header + data


def encode_ogg(samples: npt.NDArray[np.int16], sample_rate_hz: int) -> bytes:
    """Return an Ogg Vorbis file, mono."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", sample_rate_hz, channels=1, format="OGG", subtype="VORBIS"
    ) as file:
        for start in range(0, len(samples), SAMPLES_PER_WRITE):
            file.write(samples[start : start + SAMPLES_PER_WRITE])
    return buffer.getvalue()


FORMATS = {
    audio_format.name: audio_format
    for audio_format in (
        AudioFormat("wav", "audio/wav", encode_wav),
        AudioFormat("ogg", "audio/ogg", encode_ogg),
    )
}
