"""From samples to the bytes of an audio file, whole or as they come."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soundfile

# libvorbis keeps all samples of one write on the C stack: a write of ten minutes ends the process
# with SIGSEGV, and on a thread's small stack five seconds do. One second at a time is safe.
SAMPLES_PER_WRITE = 24_000

UNKNOWN_SIZE = 0xFFFFFFFF

Samples = npt.NDArray[np.int16]


class Encoder(Protocol):
    """Turns pieces of audio into the bytes of one file, as they come."""

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes that are ready after these samples; may be none."""

    def finish(self) -> bytes:
        """Return the rest."""


class WavEncoder:
    """WAV without an end in sight: sizes of 0xFFFFFFFF, then PCM.

    Readers that insist on true sizes need the whole file; see `encode_wav`.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._header = _wav_header(sample_rate_hz, UNKNOWN_SIZE)

    def encode(self, samples: Samples) -> bytes:
        """Return the samples, behind the header if they are the first."""
        header, self._header = self._header, b""
        return header + pcm_bytes(samples)

    def finish(self) -> bytes:
        """Return the header, if there were no samples at all."""
        return self._header


class PcmEncoder:
    """Little-endian 16-bit samples, and nothing else."""

    def __init__(self, sample_rate_hz: int) -> None:
        """Nothing tells the rate; the client must know it."""

    def encode(self, samples: Samples) -> bytes:
        """Return the samples."""
        return pcm_bytes(samples)

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


class OggEncoder:
    """Ogg Vorbis; a page of it holds about half a second."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sink = _Sink()
        self._file = soundfile.SoundFile(
            self._sink, "w", sample_rate_hz, channels=1, format="OGG", subtype="VORBIS"
        )

    def encode(self, samples: Samples) -> bytes:
        """Return the pages that are complete."""
        for start in range(0, len(samples), SAMPLES_PER_WRITE):
            self._file.write(samples[start : start + SAMPLES_PER_WRITE])
        return self._sink.drain()

    def finish(self) -> bytes:
        """Return the last pages."""
        self._file.close()
        return self._sink.drain()


class _Sink:
    """A file that libsndfile writes to from front to end, and that is emptied as it grows."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0

    def write(self, data: bytes) -> int:
        self._buffer += data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._position

    def tell(self) -> int:
        return self._position

    def drain(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


@dataclass(frozen=True)
class AudioFormat:
    """A container and codec that audio can be sent in.

    Attributes:
        name: What requests call it.
        media_type: Its HTTP `Content-Type`.
        encode: From int16 samples `[n]` and their rate in Hz to a whole file.
        encoder: From the rate in Hz to an encoder of pieces.
    """

    name: str
    media_type: str
    encode: Callable[[Samples, int], bytes]
    encoder: Callable[[int], Encoder]


def pcm_bytes(samples: Samples) -> bytes:
    """Return samples as little-endian 16-bit numbers."""
    return samples.astype("<i2", copy=False).tobytes()


def _wav_header(sample_rate_hz: int, num_bytes: int) -> bytes:
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", min(36 + num_bytes, UNKNOWN_SIZE), b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16),
        *(b"data", num_bytes),
    )


def encode_wav(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return a WAV file: a finished 44-byte header and PCM, mono."""
    data = pcm_bytes(samples)
    return _wav_header(sample_rate_hz, len(data)) + data


def encode_pcm(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return the bare samples."""
    return pcm_bytes(samples)


def encode_ogg(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return an Ogg Vorbis file, mono."""
    encoder = OggEncoder(sample_rate_hz)
    return encoder.encode(samples) + encoder.finish()


FORMATS = {
    audio_format.name: audio_format
    for audio_format in (
        AudioFormat("wav", "audio/wav", encode_wav, WavEncoder),
        AudioFormat("ogg", "audio/ogg", encode_ogg, OggEncoder),
        AudioFormat("pcm", "audio/pcm", encode_pcm, PcmEncoder),
    )
}
