"""Resample audio, and change its speed at the same pitch, as it comes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from qwen_tts_api.audio.encoder import NO_SAMPLES, Samples

SLOWEST, FASTEST = 0.25, 4.0

_STEP_MS = 15
_REACH_MS = 10  # to either side: a period of a voice of 50 Hz fits in


class SpeedChanger:
    """WSOLA: steps of the input, each from where it best continues the one before.

    The output is made of steps of equal length, in each of which what followed the last one in
    the input fades into the next one. That is taken from near the place that the speed asks for,
    where it is most like what it replaces: so periods of the voice stay whole, and its pitch stays
    what it was (W. Verhelst and M. Roelands, ICASSP 1993).

    What comes out does not depend on how the samples come: sums of products of 16-bit integers are
    exact in 64 bits. At most 60 ms of input are held back.

    Args:
        speed: From `SLOWEST` to `FASTEST`.
        sample_rate_hz: Of the input and the output.
    """

    def __init__(self, speed: float, sample_rate_hz: int) -> None:
        self._speed = speed
        self._step = sample_rate_hz * _STEP_MS // 1000
        self._reach = sample_rate_hz * _REACH_MS // 1000
        self._fade_in = 0.5 - 0.5 * np.cos(np.pi * (np.arange(self._step) + 0.5) / self._step)
        self._input = NO_SAMPLES  # what may still be needed
        self._start = 0  # position of its first sample in all of the input
        self._num_steps = 0
        self._continuation = 0  # position of what follows the last step
        self._num_in = self._num_out = 0

    def process(self, samples: Samples) -> Samples:
        """Return what is ready after these samples."""
        self._num_in += len(samples)
        self._input = np.concatenate([self._input, samples])
        made = [NO_SAMPLES]
        while self._needed <= self._start + len(self._input):
            made.append(self._make_step())
        self._forget()
        self._num_out += sum(map(len, made))
        return np.concatenate(made)

    def finish(self) -> Samples:
        """Return the rest: in all, the length of the input divided by the speed."""
        num_left = round(self._num_in / self._speed) - self._num_out
        rest = [NO_SAMPLES]
        while sum(map(len, rest)) < num_left:
            rest.append(self.process(np.zeros(self._step, np.int16)))
        return np.concatenate(rest)[:num_left]

    @property
    def _wanted(self) -> int:
        """Where the next step should begin, if the speed alone had a say."""
        return self._place(self._num_steps)

    @property
    def _needed(self) -> int:
        """How much input there must be in all before the next step is made.

        What the step stands for has to be there, too: else the output could become too long.
        """
        whole = max(self._wanted + self._reach, self._continuation) + self._step
        return max(whole, self._place(self._num_steps + 1))

    def _place(self, num_steps: int) -> int:
        """Return how much input so many steps stand for."""
        return round(num_steps * self._step * self._speed)

    def _make_step(self) -> Samples:
        fading = self._at(self._continuation, self._step).astype(np.float64)
        begin = self._find(fading)
        coming = self._at(begin, self._step)
        self._continuation = begin + self._step
        self._num_steps += 1
        mixed: Samples = np.rint(fading + self._fade_in * (coming - fading)).astype(np.int16)
        return mixed

    def _find(self, like: npt.NDArray[np.float64]) -> int:
        """Return the position near the wanted one where the input is most `like` something."""
        first = max(self._wanted - self._reach, 0)
        near = self._at(first, self._wanted + self._reach - first + self._step).astype(np.float64)
        likeness = np.correlate(near, like)
        energy = np.cumsum(np.concatenate([[0.0], near * near]))
        scores = likeness / np.sqrt(energy[self._step :] - energy[: -self._step] + 1)
        best = int(scores.argmax())
        return first + best if scores[best] > 0 else self._wanted

    def _at(self, position: int, count: int) -> Samples:
        return self._input[position - self._start : position - self._start + count]

    def _forget(self) -> None:
        used = min(self._continuation, max(self._wanted - self._reach, 0)) - self._start
        if used > 0:
            self._input, self._start = self._input[used:], self._start + used


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
        rest = self._resample(NO_SAMPLES, last=True)[:num_left]
        return np.pad(rest, (0, num_left - len(rest)))

    def _resample(self, samples: Samples, *, last: bool) -> Samples:
        resampled = self._stream.resample_chunk(samples.astype(np.float32), last=last)
        self._num_out += len(resampled)
        clipped: Samples = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
        return clipped
