"""Find the begin and end of a segment's speech, and the silences in it, by loudness."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from qwen_tts_api.audio.encoder import NO_SAMPLES, Samples
from qwen_tts_api.service.synthesis.concatenate import (
    ABSOLUTE_THRESHOLD,
    RELATIVE_THRESHOLD,
    WINDOW,
)

PAUSE_THRESHOLD = 0.03
"""A silence inside speech is below -30 dB of the loudest window: breath and room are no words."""

MIN_PAUSE_WINDOWS = 10
"""Shorter silences are those before plosives: 0.1 s."""


@dataclass(frozen=True)
class Activity:
    """The speech and silences of a segment, as offsets in its samples.

    Attributes:
        begin, end: Of its speech, to a window of 10 ms; of all of it where there is no speech.
        pauses: Begin and end of each silence in between that is longer than a plosive's.
    """

    begin: int
    end: int
    pauses: tuple[tuple[int, int], ...]


class ActivityMeter:
    """Measures the samples of one segment after the other, in pieces of any size."""

    def __init__(self) -> None:
        self._loudest = 0.0
        self._rest = NO_SAMPLES
        self._levels: list[npt.NDArray[np.float64]] = []
        self._num_samples = 0

    def write(self, samples: Samples) -> None:
        """Take samples of the current segment."""
        self._num_samples += len(samples)
        pending = np.concatenate([self._rest, samples])
        end = len(pending) - len(pending) % WINDOW
        if end:
            self._measure(pending[:end].reshape(-1, WINDOW))
        self._rest = pending[end:]

    def end_segment(self) -> Activity:
        """Return the activity of the segment, and begin another one."""
        if len(self._rest):
            self._measure(self._rest.reshape(1, -1))
        levels = np.concatenate([np.zeros(0), *self._levels])
        self._loudest = max(self._loudest, float(levels.max(initial=0.0)))
        num_samples = self._num_samples
        self._rest, self._levels, self._num_samples = NO_SAMPLES, [], 0
        speech = np.flatnonzero(
            levels > max(ABSOLUTE_THRESHOLD, RELATIVE_THRESHOLD * self._loudest)
        )
        if not len(speech):
            return Activity(0, num_samples, ())
        first, last = int(speech[0]), int(speech[-1]) + 1
        quiet = levels[first:last] < max(ABSOLUTE_THRESHOLD, PAUSE_THRESHOLD * self._loudest)
        pauses, position = [], first
        for is_quiet, run in groupby(quiet.tolist()):
            length = len(list(run))
            if is_quiet and length >= MIN_PAUSE_WINDOWS:
                pauses.append((position * WINDOW, (position + length) * WINDOW))
            position += length
        return Activity(first * WINDOW, min(last * WINDOW, num_samples), tuple(pauses))

    def _measure(self, windows: Samples) -> None:
        self._levels.append(np.sqrt(np.square(windows, dtype=np.float64).mean(axis=1)))
