"""Bare samples, with or without a header before them: PCM, WAV, AU, AIFF."""

from __future__ import annotations

import struct

from qwen_tts_api.audio.encoder import Samples

UNKNOWN_SIZE = 0xFFFFFFFF
"""What a header says that is sent before the size is known; players read on to the end."""


def little_endian(samples: Samples) -> bytes:
    """Return samples as little-endian 16-bit numbers."""
    return samples.astype("<i2", copy=False).tobytes()


def big_endian(samples: Samples) -> bytes:
    """Return samples as big-endian 16-bit numbers."""
    return samples.astype(">i2").tobytes()


def wav_header(sample_rate_hz: int, num_bytes: int = UNKNOWN_SIZE) -> bytes:
    """Return the 44 bytes before `num_bytes` of little-endian samples, mono."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", min(36 + num_bytes, UNKNOWN_SIZE), b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16),
        *(b"data", num_bytes),
    )


def au_header(sample_rate_hz: int, num_bytes: int = UNKNOWN_SIZE) -> bytes:
    """Return the 24 bytes before `num_bytes` of big-endian samples, mono; 3 is 16-bit PCM."""
    return struct.pack(">4sIIIII", b".snd", 24, num_bytes, 3, sample_rate_hz, 1)


def aiff_header(sample_rate_hz: int, num_bytes: int) -> bytes:
    """Return the 54 bytes before `num_bytes` of big-endian samples, mono.

    AIFF has no sign for an unknown size, so that no file can begin before its end is known.
    """
    return struct.pack(
        ">4sI4s4sIhIh10s4sIII",
        *(b"FORM", 46 + num_bytes, b"AIFF"),
        *(b"COMM", 18, 1, num_bytes // 2, 16, _extended(sample_rate_hz)),
        *(b"SSND", 8 + num_bytes, 0, 0),
    )


def encode_wav(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return a WAV file: a finished 44-byte header and PCM, mono."""
    data = little_endian(samples)
    return wav_header(sample_rate_hz, len(data)) + data


def encode_au(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return a Sun/NeXT audio file: a finished 24-byte header and PCM, mono."""
    data = big_endian(samples)
    return au_header(sample_rate_hz, len(data)) + data


def encode_aiff(samples: Samples, sample_rate_hz: int) -> bytes:
    """Return an AIFF file: a finished 54-byte header and PCM, mono."""
    data = big_endian(samples)
    return aiff_header(sample_rate_hz, len(data)) + data


def _extended(number: int) -> bytes:
    """Return a positive integer in the 80-bit format of the 68881, which AIFF has its rate in."""
    exponent = number.bit_length() - 1
    return struct.pack(">HQ", 16383 + exponent, number << (63 - exponent))


class PcmEncoder:
    """Samples as they come, behind the bytes that the file begins with."""

    def __init__(self, header: bytes = b"", *, big: bool = False) -> None:
        self._header = header
        self._to_bytes = big_endian if big else little_endian

    def encode(self, samples: Samples) -> bytes:
        """Return the samples, behind the header if they are the first."""
        header, self._header = self._header, b""
        return header + self._to_bytes(samples)

    def finish(self) -> bytes:
        """Return the header, if there were no samples at all."""
        return self._header
