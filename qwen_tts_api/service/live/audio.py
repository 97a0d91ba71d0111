"""The audio of a live text: one container for all of it, or one for each segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.encoders import Output, Pipeline
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.live.segment import LiveSegment
from qwen_tts_api.service.synthesis.concatenate import Concatenator, silence
from qwen_tts_api.service.text.segments import measure
from qwen_tts_api.service.times.timed import TimedSegment, Times
from qwen_tts_api.service.times.timeline import Timeline
from qwen_tts_api.service.times.words import LETTERS_PER_S


def choose_tempo(output: Output, *, has_marks: bool) -> tuple[Output, float]:
    """Return the output and the tempo of a text, which are at its speed together.

    Where it may state pauses its segments are at that tempo, so that a pause is as long as it says.
    """
    return (replace(output, speed=1.0), output.speed) if has_marks else (output, 1.0)


class LiveAudio:
    """Encodes the samples of segments.

    Args:
        output: Their format.
        timeline: Records when segments are heard, if the request asks for that.
        tempo: How much faster the written samples are already, besides the output's speed.
        stream: Whether a container's bytes are returned while it is made, or at its end.
        per_segment: Whether each segment has a container of its own, without pauses.

    Attributes:
        per_segment: As given.
        tempo: As given.
        pipeline: What encodes.
        num_samples: How many samples of segments, at the model's rate, were encoded; no pauses.
        segment_samples: How many of them were of the current segment.
    """

    def __init__(
        self,
        output: Output,
        timeline: Timeline | None = None,
        *,
        tempo: float = 1.0,
        stream: bool,
        per_segment: bool,
    ) -> None:
        self.per_segment = per_segment
        self.num_samples = self.segment_samples = 0
        self.tempo = tempo
        self._output = output
        self._stream = stream
        self._timeline = timeline
        self._expected_text = ""
        self._concatenator = Concatenator(None)
        self._pause_s: float | None = None
        self._is_in_segment = False
        self._num_silent = self._lead = 0  # samples of pauses in all containers; before this speech
        self._owed_s = 0.0  # the pause that the next container begins with
        self.pipeline: Pipeline = output.pipeline(SAMPLE_RATE_HZ, stream=stream)

    @property
    def milliseconds(self) -> int:
        """How much audio was made, pauses included."""
        samples = self._concatenator.position
        if self.per_segment:
            samples = self.num_samples + self._num_silent
        return round(1000 * samples / SAMPLE_RATE_HZ / self._output.speed)

    @property
    def expected(self) -> TimedSegment | None:
        """When the current segment is likely to be heard."""
        return self._timeline.current if self._timeline else None

    def expect(self, segment: LiveSegment) -> None:
        """Update the expected times of the current segment, whose text may have grown."""
        if self._timeline is not None and segment.text != self._expected_text:
            self._expected_text = segment.text
            self._timeline.begin_segment(segment.said, self._origin)

    def time_segment(self, segment: LiveSegment) -> TimedSegment | None:
        """Return when the current segment is heard, all of whose samples were written."""
        if self._timeline is None:
            return None
        is_dropped = not self.per_segment and self._concatenator.is_dropped
        return self._timeline.end_segment(segment.said, self._origin, is_dropped=is_dropped)

    @property
    def times(self) -> Times | None:
        """When the segments that ended are heard, in one container."""
        duration_s = self.pipeline.num_samples / self._output.sample_rate_hz
        return self._timeline.times(duration_s) if self._timeline else None

    @property
    def _origin(self) -> int:
        return self._lead if self.per_segment else self._concatenator.origin

    def share(self, text: str, *, ended: bool) -> float:
        """Return how much of the current segment, with this text, was made: 0 to 1."""
        expected_s = max(measure(text) / LETTERS_PER_S / self.tempo, 0.1)
        return 1.0 if ended else min(1.0, self.segment_samples / SAMPLE_RATE_HZ / expected_s)

    def begin(self, number: int) -> bytes:
        """Begin a segment; return the bytes before it."""
        self.segment_samples = 0
        self._expected_text = ""
        self._is_in_segment = True
        self._concatenator.holds_silence = False
        if self.per_segment:
            if number:
                self.pipeline = self._output.pipeline(SAMPLE_RATE_HZ, stream=self._stream)
            before = b"".join(self._silence(self._owed_s))
            self._owed_s, self._lead = 0.0, round(self._owed_s * SAMPLE_RATE_HZ)
            return before
        if self._pause_s is None:
            return b""
        return self.pipeline.encode(self._concatenator.end_segment(self._pause_s))

    def expect_pause(self) -> None:
        """Record that a stated pause follows the current segment."""
        self._concatenator.holds_silence = True

    def pause(self, seconds: float) -> Iterator[bytes]:
        """State a pause: behind all samples so far, or before the first.

        It is exact, unless the silence of a segment that had ended before was longer already. Of a
        container for each segment it is in that of the current one, else of the next.
        """
        if not self.per_segment:
            self._pause_s = None
            yield self.pipeline.encode(self._concatenator.release())
            yield from map(self.pipeline.encode, self._concatenator.silence(seconds))
        elif self._is_in_segment:
            yield from self._silence(seconds)
        else:
            self._owed_s += seconds

    def _silence(self, seconds: float) -> Iterator[bytes]:
        """Yield a pause in the container of a segment."""
        for samples in silence(seconds):
            self._num_silent += len(samples)
            yield self.pipeline.encode(samples)

    def write(self, samples: Samples) -> bytes:
        """Encode samples of the current segment; return the bytes that are ready."""
        self.num_samples += len(samples)
        self.segment_samples += len(samples)
        if self._timeline is not None:
            self._timeline.write(samples)
        if not self.per_segment:
            samples = self._concatenator.write(samples)
        return self.pipeline.encode(samples) if len(samples) else b""

    def end_segment(self, pause_s: float) -> bytes:
        """End the current segment, before a pause if another follows; return the rest of it."""
        self._is_in_segment = False
        if self.per_segment:
            return self.pipeline.finish()
        self._pause_s = pause_s / self.tempo
        return self.pipeline.encode(self._concatenator.drain(self._pause_s))

    def finish(self) -> bytes:
        """End the last container."""
        if self.per_segment:
            return b""
        return self.pipeline.encode(self._concatenator.drain()) + self.pipeline.finish()
