"""When each character is heard, as ElevenLabs tells it beside the audio.

A segment's begin and end are exact. Within it, characters share the time evenly, at the pace of
what was spoken before, until its end is known; what is left of its text has the rest of its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from qwen_tts_api.service.live.audio import LETTERS_PER_S

PACE_MS = 1000 / LETTERS_PER_S
"""Of a character, while nothing is known of the voice's own pace."""


@dataclass
class Alignment:
    """Characters with the times at which they begin and end, in milliseconds.

    Attributes:
        characters: One each.
        starts_ms: When each begins.
        ends_ms: When each ends.
    """

    characters: list[str] = field(default_factory=list)
    starts_ms: list[float] = field(default_factory=list)
    ends_ms: list[float] = field(default_factory=list)

    def add(self, text: str, start_ms: float, end_ms: float) -> None:
        """Add characters that share a span of time."""
        pace = (end_ms - start_ms) / max(len(text), 1)
        self.characters += text
        self.starts_ms += [start_ms + pace * index for index in range(len(text))]
        self.ends_ms += [start_ms + pace * (index + 1) for index in range(len(text))]

    @classmethod
    def join(cls, parts: Iterable[Alignment]) -> Alignment:
        """Return the characters of several, in their order."""
        joined = cls()
        for part in parts:
            joined.characters += part.characters
            joined.starts_ms += part.starts_ms
            joined.ends_ms += part.ends_ms
        return joined

    def __bool__(self) -> bool:
        """Return whether it has any characters."""
        return bool(self.characters)


class Aligner:
    """Aligns the text of segments with the audio that is made of them.

    All times are those of the audio so far, `LiveAudio.milliseconds`.
    """

    def __init__(self) -> None:
        self._text = ""
        self._num_told = 0
        self._begun_ms = self._told_ms = 0.0
        self._spoken_chars, self._spoken_ms = 0, 0.0
        self._alignment = Alignment()

    def begin(self, text: str, now_ms: float) -> None:
        """Begin a segment; a space parts it from the one before, which has the pause between."""
        if self._spoken_chars:
            self._alignment.add(" ", self._told_ms, now_ms)
        self._text, self._num_told = text, 0
        self._begun_ms = self._told_ms = now_ms

    def heard(self, now_ms: float) -> None:
        """Note that there is audio until then, in which any text but the last may be spoken."""
        num = min(int((now_ms - self._begun_ms) / self._pace_ms), len(self._text) - 1)
        self._tell(max(num, self._num_told), now_ms)

    def end(self, now_ms: float) -> None:
        """End the segment: the rest of its text was spoken until then."""
        self._tell(len(self._text), now_ms)
        self._spoken_chars += len(self._text)
        self._spoken_ms += now_ms - self._begun_ms
        self._text, self._num_told = "", 0

    def take(self) -> Alignment:
        """Return what was aligned since the last time."""
        taken, self._alignment = self._alignment, Alignment()
        return taken

    @property
    def _pace_ms(self) -> float:
        return self._spoken_ms / self._spoken_chars if self._spoken_chars else PACE_MS

    def _tell(self, num: int, now_ms: float) -> None:
        if num > self._num_told:
            self._alignment.add(self._text[self._num_told : num], self._told_ms, now_ms)
            self._num_told, self._told_ms = num, now_ms
