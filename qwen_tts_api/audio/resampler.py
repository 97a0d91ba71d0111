"""Resample audio as it comes."""

from __future__ import annotations

import numpy as np
import soxr

from qwen_tts_api.audio.encoder import SILENCE, Samples


class Resampler:
    """libsoxr's stream: the same samples however they come, and the length of the whole exactly.

    Its high quality keeps the band up to 0.91 of what the lower rate can hold, and 100 dB of what
    lies above out. In floating point: with integers libsoxr would add noise (dither).
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
        self._from_hz, self._to_hz = from_hz, to_hz
        self._num_in = self._num_out = 0

    def process(self, samples: Samples) -> Samples:
        """Return what is ready after these samples."""
        self._num_in += len(samples)
        return self._resample(samples, last=False)

    def finish(self) -> Samples:
        """Return the rest: in all as many samples as last as long, rounded."""
        num_left = round(self._num_in * self._to_hz / self._from_hz) - self._num_out
        rest = self._resample(SILENCE, last=True)[:num_left]
        return np.pad(rest, (0, num_left - len(rest)))

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        resampled = self._stream.resample_chunk(samples.astype(np.float32), last=last)
        self._num_out += len(resampled)
        clipped: Samples = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
        return clipped
