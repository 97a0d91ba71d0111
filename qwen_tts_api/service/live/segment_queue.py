"""The segments of a live text: taken from it, and given to the model, one after the other."""

from __future__ import annotations

import threading
from dataclasses import replace

from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.live.segment import Flush, LiveSegment
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.plan import PAUSES_S, SpeechSegment, segment_seeds
from qwen_tts_api.service.synthesis.segmented_job import SegmentedJob
from qwen_tts_api.service.text.stable_text import StatedPause


class SegmentQueue:
    """Segments by the number of their job. Any thread may call any method.

    Args:
        text: Which they are taken from.
        job: Speaks them.
        prompt: Of every segment, but for text and seed.
    """

    def __init__(self, text: LiveText, job: SegmentedJob, prompt: Prompt) -> None:
        self._text = text
        self._job = job
        self._prompt = prompt
        self._seeds = segment_seeds(prompt.sampling.seed)
        self._lock = threading.RLock()  # guards what follows
        self._segments: list[LiveSegment] = []
        self._num_begun = 0

    @property
    def current(self) -> tuple[int, LiveSegment] | None:
        """Return the segment that is spoken or was last, with its number."""
        with self._lock:
            number = self._num_begun - 1
            return (number, self._segments[number]) if self._num_begun else None

    def next(self) -> tuple[int, LiveSegment] | StatedPause | Flush | None:
        """Return what is spoken next, waiting for it, with its number; None at the end."""
        while True:
            with self._lock:
                if self._num_begun < len(self._segments):
                    self._num_begun += 1
                    return self.current
            item = self._text.next()
            if not isinstance(item, LiveSegment):
                return item
            self._add(item)

    def look_ahead(self) -> None:
        """Submit the next segment early, if the model has finished the current one, or it is full.

        Until then it grows.
        """
        with self._lock:
            if self._num_begun < len(self._segments):
                return
            is_done = self._job.jobs[-1].times.ended_at is not None
            if (segment := self._text.next_ahead(hurry=is_done)) is not None:
                self._add(segment)

    def find_pause(self) -> StatedPause | None:
        """Return the pause that is stated behind the current segment, as far as is known."""
        with self._lock:
            segment = self._segments[self._num_begun - 1]
            is_last = self._num_begun == len(self._segments)
            if is_last and (pause := self._text.take_pause()) is not None:
                segment.pause = pause.behind(segment.pause)
            return segment.pause

    def clear(self) -> None:
        """Discard the text of segments that have not begun, and the pause behind the current."""
        with self._lock:
            self._text.clear()
            if self._num_begun < len(self._segments):
                del self._segments[self._num_begun :]
                self._job.drop(self._num_begun)
            if self._segments:
                self._segments[-1].pause = None

    def _add(self, segment: LiveSegment) -> None:
        sampling = replace(self._prompt.sampling, seed=next(self._seeds))
        prompt = replace(
            self._prompt, text=segment.text, sampling=sampling, arriving=segment.source
        )
        with self._lock:
            self._segments.append(segment)
            self._job.add(SpeechSegment(prompt, PAUSES_S[segment.boundary]))
