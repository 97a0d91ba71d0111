"""Concatenate the audio of segments, as it comes: pauses of even length, no clicks.

An utterance begins and ends with silence of varying length. Between two segments it is trimmed or
padded to a pause, with a fade on both sides. Silence before the first segment's speech and after
the last one's stays, and so does everything inside a segment: the audio of a single segment is
exactly the model's output.

A stated pause is exact: as many samples of digital silence as it says, between two samples that are
none. It may also stand before the first segment and behind the last, whose silence there is then
trimmed, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qwen_tts_api.audio.encoder import NO_SAMPLES, Samples
from qwen_tts_api.audio.rates import SpeedChanger
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.synthesis.fades import FADE, fade_in, fade_out

if TYPE_CHECKING:
    from qwen_tts_api.service.plan import SpeechSegment
    from qwen_tts_api.service.times.timeline import Timeline


WINDOW = SAMPLE_RATE_HZ // 100
"""Samples of a window of 10 ms, over which loudness (RMS) is measured; a frame has eight."""

MARGIN_WINDOWS = 3
"""Silence kept before speech: 30 ms, since a soft onset is below the threshold."""

MAX_HELD_WINDOWS = 30
"""Silence held back until it is known whether the segment ends with it: a stream is delayed by up
to 0.3 s. Silence beyond it is returned, and counts as part of the pause."""

# Speech is louder than -46 dB of the loudest window so far, and than -60 dB of full scale.
RELATIVE_THRESHOLD = 0.005
ABSOLUTE_THRESHOLD = 33.0


class Concatenator:
    """Takes the samples of one segment after the other, and returns those that are final.

    The result does not depend on how the samples are split over calls.

    Args:
        num_segments: Total number of segments; None where it is not known: what only the last one
            returns at once is then returned by `drain`.
        trim_beginning: Whether a stated pause is before the first one.
        trim_end: Whether a stated pause is behind the last one, which `release` then ends.

    Attributes:
        holds_silence: Whether a stated pause is behind the current segment: silence is then held
            back, however long it is, since none of it is part of the pause; `release` ends it.
        position: How many samples were returned so far.
    """

    def __init__(
        self,
        num_segments: int | None,
        *,
        trim_beginning: bool = False,
        trim_end: bool = False,
    ) -> None:
        self.holds_silence = False
        self._num_left = math.inf if num_segments is None or trim_end else num_segments - 1
        self._loudest = 0.0
        # Whether this segment's speech has begun; the first one is not trimmed.
        self._begun = not trim_beginning
        self._follows_stated = trim_beginning
        self._heard = False  # whether any segment had speech
        self._rest = NO_SAMPLES  # samples of an incomplete window
        self._speech = NO_SAMPLES  # the last window with speech, unless it was returned
        self._silence: list[Samples] = []  # silent windows since then, unless they were returned
        self._num_silent_sent = 0
        self._num_early = 0  # samples of silence that were returned before a pause was stated
        self.position = 0
        self._begins_at = 0  # the position at which the current segment begins
        self._num_trimmed = 0  # its samples that were dropped, all of them before its speech

    @property
    def origin(self) -> int:
        """Where the current segment's first sample lies in the result, or would, if it was kept.

        Its sample n is at `origin` + n, up to the end of its speech.
        """
        return self._begins_at - (self._num_trimmed if self._begun else 0)

    @property
    def is_dropped(self) -> bool:
        """Whether nothing is kept of the current segment, in which there was no speech yet."""
        return not self._begun

    def write(self, samples: Samples) -> Samples:
        """Take samples of the current segment, and return those that are final; may be empty."""
        if self._passes_through:
            self.position += len(samples)
            return samples
        pending = np.concatenate([self._rest, samples])
        end = len(pending) - len(pending) % WINDOW
        ready: list[Samples] = []
        for start in range(0, end, WINDOW):
            self._take(pending[start : start + WINDOW], ready)
        self._rest = pending[end:]
        if self._passes_through:
            ready += [self._speech, *self._silence, self._rest]
        return self._returned(ready)

    def end_segment(self, pause_s: float) -> Samples:
        """End a segment that is not the last; return its faded end and the pause behind it."""
        ready: list[Samples] = []
        if len(self._rest):
            self._take(self._rest, ready)
        pause = max(FADE, round(pause_s * SAMPLE_RATE_HZ) - WINDOW * self._num_silent_sent)
        silence = np.concatenate([NO_SAMPLES, *self._silence])[:pause]
        tail = fade_out(np.concatenate([self._speech, silence]))
        ended = self._returned([*ready, tail, np.zeros(pause - len(silence), np.int16)])
        self._expect_segment(follows_stated=False)
        return ended

    def release(self) -> Samples:
        """End a segment before a stated pause; return its faded end, whose last sample is not 0."""
        ready: list[Samples] = []
        if len(self._rest):
            self._take(self._rest, ready)
        margin = self._silence[:MARGIN_WINDOWS] if len(self._speech) else []
        tail = fade_out(np.concatenate([self._speech, *margin]))
        ended = self._returned([*ready, np.trim_zeros(tail, "b")])
        num_early = max(0, self._num_silent_sent - MARGIN_WINDOWS) * WINDOW
        self._expect_segment(follows_stated=True)
        self._num_early = num_early
        return ended

    def silence(self, seconds: float) -> Iterator[Samples]:
        """Yield a stated pause before the next segment, a second at a time.

        What was returned of the silence of a segment that `drain` ended counts as part of it.
        """
        num_early, self._num_early = self._num_early, 0
        for samples in silence(max(0.0, seconds - num_early / SAMPLE_RATE_HZ)):
            self._begins_at = self.position = self.position + len(samples)
            yield samples

    def drain(self, pause_s: float = math.inf) -> Samples:
        """Return what is held back of a segment that is over, where another may follow or not.

        Args:
            pause_s: The pause before another: silence that is longer stays held back.
        """
        ready: list[Samples] = []
        if len(self._rest):
            self._take(self._rest, ready)
        num_wanted = min(len(self._silence), pause_s * SAMPLE_RATE_HZ // WINDOW)
        wanted, self._silence = self._silence[: int(num_wanted)], self._silence[int(num_wanted) :]
        ready += [self._speech, *wanted]
        self._num_silent_sent += len(wanted)
        self._rest, self._speech = NO_SAMPLES, NO_SAMPLES
        return self._returned(ready)

    def _returned(self, ready: list[Samples]) -> Samples:
        returned = np.concatenate([NO_SAMPLES, *ready])
        self.position += len(returned)
        return returned

    @property
    def _passes_through(self) -> bool:
        """Whether samples are returned unchanged: the last segment's speech has begun."""
        return self._num_left == 0 and self._begun

    @property
    def _max_held_windows(self) -> float:
        """How much silence is held back, of a segment whose speech has begun."""
        if not self._heard:
            return 0  # nor is it trimmed before the very first speech
        return math.inf if self.holds_silence else MAX_HELD_WINDOWS

    def _expect_segment(self, *, follows_stated: bool) -> None:
        self._num_left -= 1
        self._begins_at, self._num_trimmed = self.position, 0
        self._begun, self._follows_stated = False, follows_stated
        self._rest, self._speech, self._silence = NO_SAMPLES, NO_SAMPLES, []
        self._num_silent_sent = 0

    def _take(self, window: Samples, ready: list[Samples]) -> None:
        """Hold a window back, and append to `ready` those that are final now."""
        if not self._is_speech(window):
            self._silence.append(window)
            if not self._begun:
                self._num_trimmed += sum(map(len, self._silence[:-MARGIN_WINDOWS]))
                del self._silence[:-MARGIN_WINDOWS]
            elif len(self._silence) > self._max_held_windows:
                ready += [self._speech, self._silence.pop(0)]
                self._speech = NO_SAMPLES
                self._num_silent_sent += 1
            return
        if not self._begun:
            beginning = fade_in(np.concatenate([*self._silence, window]))
            if self._follows_stated:
                length = len(beginning)
                beginning = np.trim_zeros(beginning, "f")
                self._num_trimmed += length - len(beginning)
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


def join(
    segments: Sequence[SpeechSegment],
    samples_of: Callable[[int], Iterable[Samples]],
    lead_s: float,
    timeline: Timeline | None = None,
) -> Generator[Samples, None, None]:
    """Yield the audio as it is made; a single plain segment is the model's output, unchanged.

    Args:
        segments: All segments of the text.
        samples_of: Returns the audio of a segment by its number; called in order.
        lead_s: The stated pause before the first segment.
        timeline: Records when the segments are heard.
    """
    first = segments[0]
    is_changed = bool(lead_s) or first.is_stated or first.speed != 1
    if len(segments) == 1 and timeline is None and not is_changed:
        yield from filter(len, samples_of(0))
        return
    if timeline is not None:
        timeline.restart()
    concatenator = Concatenator(
        len(segments), trim_beginning=bool(lead_s), trim_end=segments[-1].is_stated
    )
    # Sent with the first audio: an error before that can still be sent as an HTTP status.
    lead = list(concatenator.silence(lead_s))
    for number, segment in enumerate(segments):
        concatenator.holds_silence = segment.is_stated
        if timeline is not None:
            timeline.begin_segment(segment.said, concatenator.origin)
        for taken in at_speed(samples_of(number), segment.speed):
            yield from lead
            lead.clear()
            if timeline is not None:
                timeline.write(taken)
            if len(ready := concatenator.write(taken)):
                yield ready
        if timeline is not None:
            timeline.end_segment(
                segment.said, concatenator.origin, is_dropped=concatenator.is_dropped
            )
        yield from lead
        lead.clear()
        if segment.is_stated:
            if len(ready := concatenator.release()):
                yield ready
            yield from concatenator.silence(segment.pause_s)
        elif number + 1 < len(segments):
            yield concatenator.end_segment(segment.pause_s)


def silence(seconds: float) -> Iterator[Samples]:
    """Yield digital silence, a second at a time."""
    left = round(seconds * SAMPLE_RATE_HZ)
    for start in range(0, left, SAMPLE_RATE_HZ):
        yield np.zeros(min(SAMPLE_RATE_HZ, left - start), np.int16)


def at_speed(segment: Iterable[Samples], speed: float) -> Iterator[Samples]:
    """Yield the samples of a segment at another speed, as they come."""
    if speed == 1:
        yield from segment
        return
    changer = SpeedChanger(speed, SAMPLE_RATE_HZ)
    for samples in segment:
        yield changer.process(samples)
    yield changer.finish()
