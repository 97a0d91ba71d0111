"""When the segments and words of a text are heard in its audio, while it is made."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.checkpoints.token_timing import TokenTiming
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from qwen_tts_api.service.times.activity import Activity, ActivityMeter
from qwen_tts_api.service.times.estimate import Span, estimate, expected
from qwen_tts_api.service.times.timed import SegmentText, TimedSegment, Times, timed_segment
from qwen_tts_api.service.times.words import LETTERS_PER_S, Word, split_words


class Timeline:
    """Computes when the words of each segment are heard, from the samples as they come.

    The times do not depend on how the samples are split over calls.

    Args:
        output: The output: its speed changes the times, its format may delay the audio.
        timing: The model's pace, where it has a constant one.

    Attributes:
        segments: The segments that have ended.
        current: The current segment, with expected times.
    """

    def __init__(self, output: Output, timing: TokenTiming | None = None) -> None:
        self._output = output
        self._timing = timing
        self.restart()

    def restart(self) -> None:
        """Start over: what was written so far is discarded."""
        self._meter = ActivityMeter()
        self._letters, self._samples = float(LETTERS_PER_S), float(SAMPLE_RATE_HZ)
        self.segments: list[TimedSegment] = []
        self.current: TimedSegment | None = None

    def seconds(self, position: float) -> float:
        """Return when a sample of the concatenated segments is heard, in seconds."""
        return self._output.delay_s + position / SAMPLE_RATE_HZ / self._output.speed

    def times(self, duration_s: float) -> Times:
        """Return the times of a file as far as they are known, which has so much audio."""
        return Times(tuple(self.segments), self._output.delay_s + duration_s)

    def write(self, samples: Samples) -> None:
        """Process samples of the current segment, as the model made them."""
        self._meter.write(samples)

    def begin_segment(self, said: SegmentText, origin: int) -> None:
        """Begin a segment, or update the current one, whose text has grown; see `end_segment`."""
        words = split_words(said.text)
        spans, exact = self._paced(said.text, words, said.tempo), True
        if spans is None:
            spans, exact = expected(words, self._samples / self._letters / said.tempo), False
        self.current = self._placed(said, words, spans, origin, estimated=not exact)

    def end_segment(
        self, said: SegmentText, origin: int, *, is_dropped: bool = False
    ) -> TimedSegment:
        """End the segment; return when it is heard.

        Args:
            said: What is spoken of it.
            origin: Where its first sample lies among the concatenated ones, or would.
            is_dropped: Whether it is silent, and left out: its words are told at one point.
        """
        activity = self._meter.end_segment()
        self.current = None
        words = split_words(said.text)
        spans = self._paced(said.text, words, said.tempo)
        estimated = spans is None
        if spans is None:
            spans = estimate(words, activity)
        self._letters += sum(word.weight for word in words)
        self._samples += (activity.end - activity.begin) * said.tempo
        spans = _bounded(spans, Activity(0, 0, ()) if is_dropped else activity)
        self.segments.append(self._placed(said, words, spans, origin, estimated=estimated))
        return self.segments[-1]

    def _paced(self, text: str, words: Sequence[Word], tempo: float) -> list[Span] | None:
        """Return when words are spoken at the model's constant pace, if it has one."""
        if self._timing is None:
            return None
        tokens = self._timing.spans(text)
        if not tokens or tokens[-1][1] != len(text):
            return None  # the tokenizer changed characters
        firsts = [start for start, _ in tokens]
        lasts = [end for _, end in tokens]
        spans, first, last = [], 0, 0
        for word in words:
            while first < len(tokens) - 1 and lasts[first] <= word.first:
                first += 1
            last = max(last, first)
            while last < len(tokens) - 1 and firsts[last + 1] < word.last:
                last += 1
            spans.append((self._timing.begin(first), self._timing.begin(last + 1)))
        frame = SAMPLES_PER_FRAME / tempo
        closed = _closed(spans, 1)
        return [(frame * start, frame * end) for start, end in closed]

    def _placed(
        self,
        said: SegmentText,
        words: Sequence[Word],
        spans: Sequence[Span],
        origin: int,
        *,
        estimated: bool,
    ) -> TimedSegment:
        heard = [(self.seconds(origin + start), self.seconds(origin + end)) for start, end in spans]
        return timed_segment(said, words, heard, estimated=estimated)


def _closed(spans: Iterable[Span], least: float) -> list[Span]:
    """Close gaps of up to a token between words: that token is the space."""
    closed = list(spans)
    for index, ((start, end), (following, _)) in enumerate(itertools.pairwise(closed)):
        if following - end <= least:
            closed[index] = (start, following)
    return closed


def _bounded(spans: Sequence[Span], activity: Activity) -> list[Span]:
    """Limit words to the speech that is heard, in their order."""
    begin, end = activity.begin, activity.end
    bounded: list[Span] = []
    for start, stop in spans:
        start = min(max(start, begin), end)
        bounded.append((start, min(max(stop, start), end)))
    bounded[0] = (begin, bounded[0][1])
    bounded[-1] = (bounded[-1][0], end)
    return bounded
