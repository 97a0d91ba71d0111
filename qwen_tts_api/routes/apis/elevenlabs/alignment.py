"""When each character is heard, as ElevenLabs tells it beside the audio.

The characters of a word share its time evenly, and white space has the time between words, so that
all of them follow each other without a gap. In a stream they are told when they are expected to
have been heard (`service.times`), and what is left of a segment when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from qwen_tts_api.service.times.timeline import TimedSegment

Character = tuple[str, float, float]
"""One, and from when until when it is heard, in milliseconds."""


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

    def add(self, char: str, start_ms: float, end_ms: float) -> None:
        """Add a character."""
        self.characters.append(char)
        self.starts_ms.append(start_ms)
        self.ends_ms.append(end_ms)

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
    """Tells each character of segments once, in one line of time."""

    def __init__(self) -> None:
        self._alignment = Alignment()
        self._told_ms: float | None = None  # where the last one ended
        self._num_told = 0  # characters of the current segment

    def expect(self, segment: TimedSegment, now_ms: float) -> None:
        """Tell what has been heard until now of a segment that may still grow or be corrected."""
        characters = list(_characters(segment))
        num = sum(end_ms <= now_ms for _, _, end_ms in characters[:-1])
        self._tell(characters[:num])

    def end(self, segment: TimedSegment) -> None:
        """Tell the rest of a segment, whose times are known now."""
        self._tell(list(_characters(segment)))
        self._num_told = 0

    def take(self) -> Alignment:
        """Return what was told since the last time."""
        taken, self._alignment = self._alignment, Alignment()
        return taken

    def _tell(self, characters: list[Character]) -> None:
        """Tell the characters of the current segment that were not told yet."""
        for char, start_ms, end_ms in characters[self._num_told :]:
            begin_ms = start_ms if self._told_ms is None else self._told_ms
            if not self._num_told and self._told_ms is not None:  # the pause between two segments
                pause_ms = max(start_ms, begin_ms)
                self._alignment.add(" ", begin_ms, pause_ms)
                begin_ms = pause_ms
            self._told_ms = max(end_ms, begin_ms)
            self._alignment.add(char, begin_ms, self._told_ms)
            self._num_told += 1


def _characters(segment: TimedSegment) -> Iterator[Character]:
    """Yield the characters of a segment, each of which ends where the next one begins."""
    now_ms, position = 1000 * segment.start_s, 0
    for word in segment.words:
        begin = segment.text.index(word.text, position)
        start_ms, end_ms = 1000 * word.start_s, 1000 * word.end_s
        yield from _shared(segment.text[position:begin], now_ms, start_ms)
        yield from _shared(word.text, start_ms, end_ms)
        now_ms, position = end_ms, begin + len(word.text)
    yield from _shared(segment.text[position:], now_ms, now_ms)


def _shared(text: str, start_ms: float, end_ms: float) -> Iterator[Character]:
    pace = (end_ms - start_ms) / max(len(text), 1)
    for index, char in enumerate(text):
        yield char, start_ms + pace * index, start_ms + pace * (index + 1)
