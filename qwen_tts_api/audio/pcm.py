"""Bare samples, with or without a header before them: PCM, WAV, AU, AIFF."""

from __future__ import annotations

import struct

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.provenance import Provenance

UNKNOWN_SIZE = 0xFFFFFFFF
"""What a header says that is sent before the size is known; players read on to the end."""


def little_endian(samples: Samples) -> bytes:
    """Return samples as little-endian 16-bit numbers."""
    return samples.astype("<i2", copy=False).tobytes()


def big_endian(samples: Samples) -> bytes:
    """Return samples as big-endian 16-bit numbers."""
    return samples.astype(">i2").tobytes()


def wav_header(sample_rate_hz: int, num_bytes: int, chunks: bytes) -> bytes:
    """Return the 44 bytes before `num_bytes` of little-endian samples, mono.

    Args:
        sample_rate_hz: Of the samples.
        num_bytes: Of the samples.
        chunks: Others that the file has, wherever they are; their length is even.
    """
    return _riff_header(sample_rate_hz, num_bytes + len(chunks)) + _data_header(num_bytes)


def wav_stream_header(sample_rate_hz: int, provenance: Provenance | None) -> bytes:
    """Return the bytes before samples whose number is not known.

    What is said of them comes before: nothing can follow, since players read on to the end.
    """
    chunks = provenance.riff_info() if provenance else b""
    return _riff_header(sample_rate_hz, UNKNOWN_SIZE) + chunks + _data_header(UNKNOWN_SIZE)


def _riff_header(sample_rate_hz: int, num_bytes: int) -> bytes:
    return struct.pack(
        "<4sI4s4sIHHIIHH",
        *(b"RIFF", min(36 + num_bytes, UNKNOWN_SIZE), b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16),
    )


def _data_header(num_bytes: int) -> bytes:
    return struct.pack("<4sI", b"data", num_bytes)


def au_header(sample_rate_hz: int, num_bytes: int, provenance: Provenance | None) -> bytes:
    """Return the bytes before `num_bytes` of big-endian samples, mono; 3 is 16-bit PCM."""
    annotation = provenance.au_annotation() if provenance else b""
    offset = 24 + len(annotation)
    return struct.pack(">4sIIIII", b".snd", offset, num_bytes, 3, sample_rate_hz, 1) + annotation


def aiff_header(sample_rate_hz: int, num_bytes: int, chunks: bytes) -> bytes:
    """Return the 54 bytes before `num_bytes` of big-endian samples, mono.

    AIFF has no sign for an unknown size, so that no file can begin before its end is known.

    Args:
        sample_rate_hz: Of the samples.
        num_bytes: Of the samples.
        chunks: Others that follow them.
    """
    return struct.pack(
        ">4sI4s4sIhIh10s4sIII",
        *(b"FORM", 46 + num_bytes + len(chunks), b"AIFF"),
        *(b"COMM", 18, 1, num_bytes // 2, 16, _extended(sample_rate_hz)),
        *(b"SSND", 8 + num_bytes, 0, 0),
    )


def encode_wav(samples: Samples, sample_rate_hz: int, provenance: Provenance | None) -> bytes:
    """Return a WAV file: a finished 44-byte header and PCM, mono.

    What is said of the samples follows them: many clients take them to begin at byte 44.
    """
    data, chunks = little_endian(samples), provenance.riff_info() if provenance else b""
    return wav_header(sample_rate_hz, len(data), chunks) + data + chunks


def encode_au(samples: Samples, sample_rate_hz: int, provenance: Provenance | None) -> bytes:
    """Return a Sun/NeXT audio file: a finished header and PCM, mono."""
    data = big_endian(samples)
    return au_header(sample_rate_hz, len(data), provenance) + data


def encode_aiff(samples: Samples, sample_rate_hz: int, provenance: Provenance | None) -> bytes:
    """Return an AIFF file: a finished 54-byte header and PCM, mono."""
    data, chunks = big_endian(samples), provenance.aiff_chunks() if provenance else b""
    return aiff_header(sample_rate_hz, len(data), chunks) + data + chunks


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
