"""Formats that libsndfile writes: FLAC, Ogg Vorbis, Ogg Opus.

It releases the GIL while it encodes.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.provenance import SOFTWARE, Provenance

# libvorbis keeps all samples of one write on the C stack: a write of ten minutes ends the process
# with SIGSEGV, and on a thread's small stack five seconds do. One second at a time is safe.
SAMPLES_PER_WRITE = 24_000

# libsndfile takes an Opus bitrate as a "compression level" of 1 - (kbit/s - 6) / 250. From about
# 55 kbit/s on libopus leaves its speech coder (SILK) for its transform coder alone (CELT): 80 times
# real time instead of 32 (bench/results/encoders.json), and closer to the original, too.
OPUS_BITRATE_KBPS = 64
_OPUS_LEVEL = 1 - (OPUS_BITRATE_KBPS - 6) / 250

# The least of FLAC's levels has blocks of 1152 samples instead of 4096, which leave while audio is
# made; speech takes within 1 % the same bytes at every level.
_FLAC_LEVEL = 0.0

STREAM_PAGE_MS = 40.0
"""After how much audio an Ogg Opus page leaves in a stream; libsndfile's own is a second.

With it the model's first frame (80 ms) is heard at once, for 4 % more bytes; with 80 ms, which the
encoder's look-ahead of 6.5 ms just misses, a frame later.
"""

# SFC_SET_OGG_PAGE_LATENCY_MS of sndfile.h, which soundfile has no name for.
_SET_OGG_PAGE_LATENCY_MS = 0x1302


class SoundFileEncoder:
    """One file that libsndfile writes.

    Args:
        sink: Takes the bytes; one that cannot go back, or a whole file in memory.
        provenance: What the file says of who made it.
        page_ms: How much audio a page of Ogg Opus may hold; None leaves it to libsndfile.
        options: As for `soundfile.SoundFile`.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        sink: Sink | Memory,
        provenance: Provenance | None,
        *,
        page_ms: float | None = None,
        **options: Any,
    ) -> None:
        self._sink = sink
        self._empty = True
        self._file = soundfile.SoundFile(sink, "w", sample_rate_hz, channels=1, **options)
        if page_ms is not None:
            _set_page_latency(self._file, page_ms)
        if provenance is not None:  # before the first samples, with which the head is written
            self._file.software = SOFTWARE
            self._file.comment = provenance.comment

    def encode(self, samples: Samples) -> bytes:
        """Return the pages or blocks that are complete."""
        self._empty &= not len(samples)
        for start in range(0, len(samples), SAMPLES_PER_WRITE):
            self._file.write(samples[start : start + SAMPLES_PER_WRITE])
        return self._sink.drain()

    def finish(self) -> bytes:
        """Return the rest; a file without samples, which nothing could open, gets a silent one."""
        if self._empty:
            self._file.write(np.zeros(1, np.int16))
        self._file.close()
        return self._sink.drain(last=True)


class Sink:
    """A file that is emptied as it grows: what was written once stays as it is."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._end = self._position = 0

    def write(self, data: bytes) -> int:
        """Append; drop what would replace what has left already (FLAC's length and MD5)."""
        if self._position == self._end:
            self._buffer += data
            self._end += len(data)
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position."""
        self._position = offset + (0, self._position, self._end)[whence]
        return self._position

    def tell(self) -> int:
        """Return where it is."""
        return self._position

    def drain(self, *, last: bool = False) -> bytes:
        """Return what was written since the last time."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


class Memory(io.BytesIO):
    """A file that is only complete at its end, since libsndfile goes back to its beginning."""

    def drain(self, *, last: bool = False) -> bytes:
        """Return the whole file at the end, and nothing before."""
        return self.getvalue() if last else b""


def vorbis_encoder(sample_rate_hz: int, provenance: Provenance | None) -> SoundFileEncoder:
    """Return an encoder of Ogg Vorbis; a page of it holds about half a second."""
    return SoundFileEncoder(sample_rate_hz, Sink(), provenance, format="OGG", subtype="VORBIS")


def opus_encoder(sample_rate_hz: int, provenance: Provenance | None) -> SoundFileEncoder:
    """Return an encoder of Ogg Opus with pages of a second, for files."""
    return _opus_encoder(sample_rate_hz, provenance, None)


def opus_stream_encoder(sample_rate_hz: int, provenance: Provenance | None) -> SoundFileEncoder:
    """Return an encoder of Ogg Opus whose pages leave early, for a little more overhead."""
    return _opus_encoder(sample_rate_hz, provenance, STREAM_PAGE_MS)


def _opus_encoder(
    sample_rate_hz: int, provenance: Provenance | None, page_ms: float | None
) -> SoundFileEncoder:
    return SoundFileEncoder(
        sample_rate_hz,
        Sink(),
        provenance,
        page_ms=page_ms,
        format="OGG",
        subtype="OPUS",
        compression_level=_OPUS_LEVEL,
    )


def flac_encoder(sample_rate_hz: int, provenance: Provenance | None) -> SoundFileEncoder:
    """Return an encoder of FLAC whose header knows the length and the MD5 of the whole."""
    return _flac_encoder(sample_rate_hz, provenance, Memory())


def flac_stream_encoder(sample_rate_hz: int, provenance: Provenance | None) -> SoundFileEncoder:
    """Return an encoder of FLAC that leaves out what only the end knows, as the format allows."""
    return _flac_encoder(sample_rate_hz, provenance, Sink())


def _flac_encoder(
    sample_rate_hz: int, provenance: Provenance | None, sink: Sink | Memory
) -> SoundFileEncoder:
    return SoundFileEncoder(
        sample_rate_hz,
        sink,
        provenance,
        format="FLAC",
        subtype="PCM_16",
        compression_level=_FLAC_LEVEL,
    )


def _set_page_latency(file: Any, page_ms: float) -> None:
    """Call `sf_command`, which soundfile does not offer; a test holds that it takes effect."""
    value = soundfile._ffi.new("double*", page_ms)
    soundfile._snd.sf_command(file._file, _SET_OGG_PAGE_LATENCY_MS, value, 8)
