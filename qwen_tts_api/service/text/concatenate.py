"""Concatenate the audio of segments, as it comes: pauses of even length, no clicks.

An utterance begins and ends with some silence, of a length that differs each time. Between two
segments it is trimmed, or made longer, to a pause; both sides fade. What comes before the first
segment's speech and after the last one's is not touched, nor is anything inside a segment: the
audio of a single segment is exactly what the model made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

Samples = npt.NDArray[np.int16]

WINDOW = SAMPLE_RATE_HZ // 100
"""Loudness is measured in windows of 10 ms; a frame of the model has eight."""

FADE = SAMPLE_RATE_HZ // 200
"""5 ms."""

MARGIN_WINDOWS = 3
"""What is kept before speech: 30 ms, since a soft beginning is not noticed at once."""

MAX_HELD_WINDOWS = 30
"""Silence that is held back until it is known whether the segment ends with it. A stream may have
to wait this long, 0.3 s; older silence is sent, and counts as part of the pause."""

# Speech is above -46 dB of the loudest window so far, and above -60 dB of full scale.
RELATIVE_THRESHOLD = 0.005
ABSOLUTE_THRESHOLD = 33.0

_NONE: Samples = np.zeros(0, np.int16)


class Concatenator:
    """Takes the pieces of one segment after the other, and returns what can be sent.

    Where the pieces are cut changes nothing.

    Args:
        num_segments: How many there will be.
    """

    def __init__(self, num_segments: int) -> None:
        self._num_to_come = num_segments - 1
        self._loudest = 0.0
        self._begun = True  # this segment; what precedes the very first speech is not trimmed
        self._heard = False  # any speech, in any segment
        self._rest = _NONE  # less than a window
        self._speech = _NONE  # the last window of it, unless it is sent
        self._silence: list[Samples] = []  # windows since then, unless they are sent
        self._num_silent_sent = 0

    def write(self, piece: Samples) -> Samples:
        """Take a piece of the segment, and return what can be sent; may be nothing."""
        if self._passes_through:
            return piece
        joined = np.concatenate([self._rest, piece])
        end = len(joined) - len(joined) % WINDOW
        ready: list[Samples] = []
        for start in range(0, end, WINDOW):
            self._take(joined[start : start + WINDOW], ready)
        self._rest = joined[end:]
        if self._passes_through:
            ready += [self._speech, *self._silence, self._rest]
        return np.concatenate([_NONE, *ready])

    def end_segment(self, pause_s: float) -> Samples:
        """End a segment that is not the last; return its end, faded, and the pause behind it."""
        ready: list[Samples] = []
        if len(self._rest):
            self._take(self._rest, ready)
        pause = max(FADE, round(pause_s * SAMPLE_RATE_HZ) - WINDOW * self._num_silent_sent)
        silence = np.concatenate([_NONE, *self._silence])[:pause]
        tail = fade_out(np.concatenate([self._speech, silence]))
        self._num_to_come -= 1
        self._begun = False
        self._rest, self._speech, self._silence = _NONE, _NONE, []
        self._num_silent_sent = 0
        return np.concatenate([*ready, tail, np.zeros(pause - len(silence), np.int16)])

    @property
    def _passes_through(self) -> bool:
        """Whether nothing is left to trim: the last segment's speech has begun."""
        return self._num_to_come == 0 and self._begun

    def _take(self, window: Samples, ready: list[Samples]) -> None:
        """Hold a window, and let go what need not be held any more."""
        if not self._is_speech(window):
            self._silence.append(window)
            if not self._begun:
                del self._silence[:-MARGIN_WINDOWS]
            elif len(self._silence) > (MAX_HELD_WINDOWS if self._heard else 0):
                ready += [self._speech, self._silence.pop(0)]
                self._speech = _NONE
                self._num_silent_sent += 1
            return
        if not self._begun:
            beginning = fade_in(np.concatenate([*self._silence, window]))
            ready.append(beginning[: -len(window)])
            window = beginning[-len(window) :]
        else:
            ready += [self._speech, *self._silence]
        self._begun = self._heard = True
        self._speech, self._silence, self._num_silent_sent = window, [], 0

    def _is_speech(self, window: Samples) -> bool:
        loudness = float(np.sqrt(np.square(window, dtype=np.float64).mean()))
        self._loudest = max(self._loudest, loudness)
        return loudness > max(ABSOLUTE_THRESHOLD, RELATIVE_THRESHOLD * self._loudest)


def fade_in(samples: Samples) -> Samples:
    """Return samples that begin with silence and reach their loudness within `FADE`."""
    ramp = np.ones(len(samples))
    length = min(FADE, len(samples))
    ramp[:length] = np.arange(length) / FADE
    faded: Samples = np.rint(samples * ramp).astype(np.int16)
    return faded


def fade_out(samples: Samples) -> Samples:
    """Return samples that fade to silence within `FADE`."""
    return fade_in(samples[::-1])[::-1]
