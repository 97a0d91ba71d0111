"""How far the speech of a text has been heard."""

from __future__ import annotations

import time

from qwen_tts_api.service.live.audio import LiveAudio
from qwen_tts_api.service.live.segment import LiveSegment
from qwen_tts_api.service.text.segments import measure
from qwen_tts_api.service.times.words import LETTERS_PER_S


class Playback:
    """How far a text has been heard.

    Args:
        audio: Its audio.
        in_real_time: Whether a player takes it as it is heard; a file takes all at once.
    """

    def __init__(self, audio: LiveAudio, *, in_real_time: bool) -> None:
        self._audio = audio
        self._in_real_time = in_real_time
        self._begun: list[tuple[int, LiveSegment]] = []  # by the millisecond that each begins at
        self._ended: list[int] = []  # likewise, that each ends at
        self._played_until = 0.0
        self._written_ms = 0

    def begin(self, segment: LiveSegment) -> None:
        """Record that the next samples are of this segment."""
        self._begun.append((self._audio.milliseconds, segment))

    def advance(self) -> None:
        """Record that all audio so far has been handed over."""
        new_ms = self._audio.milliseconds - self._written_ms
        self._written_ms += new_ms
        self._played_until = max(self._played_until, time.monotonic()) + new_ms / 1000

    def end(self) -> None:
        """Record that all samples of the segment have been handed over."""
        self._ended.append(self._audio.milliseconds)

    def describe(self, num_chars: int) -> str:
        """Return how far it has been heard, in words, of so many characters."""
        return (
            f"Spoken were {self.heard_chars} of {num_chars} characters, "
            f"{self.heard_ms} ms of audio."
        )

    @property
    def heard_ms(self) -> int:
        """How many milliseconds have been heard."""
        rest_s = max(0.0, self._played_until - time.monotonic()) if self._in_real_time else 0.0
        return max(0, self._written_ms - round(1000 * rest_s))

    @property
    def heard_chars(self) -> int:
        """How many characters of the text; within a segment an estimate, by its time."""
        heard_ms, index = self.heard_ms, -1
        while index + 1 < len(self._begun) and self._begun[index + 1][0] <= heard_ms:
            index += 1
        if index < 0:
            return 0
        begin_ms, segment = self._begun[index]
        if index < len(self._ended):
            end_ms = self._ended[index]
        else:
            expected_ms = 1000 * measure(segment.text) // LETTERS_PER_S
            end_ms = max(self._written_ms, begin_ms + expected_ms)
        share = min(1.0, (heard_ms - begin_ms) / max(1, end_ms - begin_ms))
        return segment.start + int(share * (segment.end - segment.start))
