"""ElevenLabs' alignments: when each character is heard, sent beside the audio.

There are two: of the text as the client wrote it ("$5") and of the text as spoken ("five dollars").
The characters of a word share its time evenly, and white space has the time between words, so that
there are no gaps. In a stream, characters are sent when their expected end is reached
(`service.times`), and the rest of a segment when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.times.timed import TimedSegment

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


class Alignments(NamedTuple):
    """Both alignments of a chunk of audio.

    Attributes:
        written: Characters of the text as the client wrote it; in the end, all of them.
        spoken: Characters of the text as spoken.
    """

    written: Alignment
    spoken: Alignment

    @classmethod
    def join(cls, parts: Sequence[Alignments]) -> Alignments:
        """Return the concatenation of several."""
        written = Alignment.join(part.written for part in parts)
        return cls(written, Alignment.join(part.spoken for part in parts))


class Aligner:
    """Aligns each character of a text, written and spoken, exactly once.

    Args:
        read: Returns a part of the text as it came, from and to a place.
    """

    def __init__(self, read: Callable[[int, int], str]) -> None:
        self._read = read
        self._place = 0  # where the text of the current segment begins
        self._written, self._spoken = _Line(), _Line()

    def expect(self, segment: TimedSegment, now_ms: float) -> None:
        """Add what has been heard by now of the current segment, whose text may still grow."""
        for line, characters in self._lines(segment):
            last_ms = characters[-1][2]  # its last character may be part of a longer word
            line.add([each for each in characters if each[2] <= now_ms and each[2] < last_ms])

    def end(self, segment: TimedSegment) -> None:
        """Add the rest of a segment, whose times are final."""
        for line, characters in self._lines(segment):
            line.add(characters)
            line.end_segment()
        if segment.written:
            self._place = segment.written.end

    def finish(self, length: int, duration_ms: float) -> None:
        """Add the rest of the text, of so many characters, at the end of its audio."""
        rest = self._read(self._place, length)
        self._written.add(list(_shared(rest, self._written.ends_ms, duration_ms)))

    def take(self) -> Alignments:
        """Return the characters added since the last call."""
        return Alignments(self._written.take(), self._spoken.take())

    def _lines(self, segment: TimedSegment) -> Iterator[tuple[_Line, list[Character]]]:
        """Yield both lines, with the characters that the segment adds to them."""
        said, begin_ms = list(_spoken(segment)), 1000 * segment.start_s
        pause = [(" ", self._spoken.begins_ms, begin_ms)] if self._spoken.has_segments else []
        yield self._spoken, [*pause, *said]
        written = segment.written
        if written is None:
            yield self._written, said
            return
        before = self._read(self._place, written.start)
        yield (
            self._written,
            [
                *_shared(before, self._written.begins_ms, begin_ms),
                *_written(self._read(written.start, written.end), written, said, begin_ms),
            ],
        )


class _Line:
    """One alignment, without gaps.

    Attributes:
        begins_ms: The end of the segment before the current one.
        ends_ms: The end of the last character that was added.
        has_segments: Whether any segment has ended.
    """

    def __init__(self) -> None:
        self.begins_ms = self.ends_ms = 0.0
        self.has_segments = False
        self._is_begun = False
        self._alignment = Alignment()
        self._num_added = 0  # characters of the current segment

    def add(self, characters: Sequence[Character]) -> None:
        """Add the new ones of all characters of the current segment."""
        for char, start_ms, end_ms in characters[self._num_added :]:
            begin_ms = self.ends_ms if self._is_begun else start_ms
            self._is_begun = True
            self.ends_ms = max(end_ms, begin_ms)
            self._alignment.add(char, begin_ms, self.ends_ms)
            self._num_added += 1

    def end_segment(self) -> None:
        """End the current segment."""
        self._num_added, self.begins_ms, self.has_segments = 0, self.ends_ms, True

    def take(self) -> Alignment:
        """Return the characters added since the last call."""
        taken, self._alignment = self._alignment, Alignment()
        return taken


def _spoken(segment: TimedSegment) -> Iterator[Character]:
    """Yield what is spoken of a segment, of which each character ends where the next one begins."""
    said = segment.said
    now_ms, position = 1000 * segment.start_s, 0
    for word in said.words:
        begin = said.text.index(word.text, position)
        start_ms, end_ms = 1000 * word.start_s, 1000 * word.end_s
        yield from _shared(said.text[position:begin], now_ms, start_ms)
        yield from _shared(word.text, start_ms, end_ms)
        now_ms, position = end_ms, begin + len(word.text)
    yield from _shared(said.text[position:], now_ms, now_ms)


def _written(
    source: str, written: Written, said: Sequence[Character], now_ms: float
) -> Iterator[Character]:
    """Yield the characters of a text as it came, by those that are spoken of them.

    What is not spoken has the time up to what is next.
    """
    for block in written.characters.placed():
        text, heard = source[block.source : block.source_end], said[block.target :]
        if block.is_kept:
            yield from (
                (char, start_ms, end_ms)
                for char, (_, start_ms, end_ms) in zip(text, heard, strict=False)
            )
        elif block.target < block.target_end:
            yield from _shared(text, heard[0][1], said[block.target_end - 1][2])
        else:
            yield from _shared(text, now_ms, heard[0][1] if heard else now_ms)
        now_ms = said[block.target_end - 1][2] if block.target_end else now_ms


def _shared(text: str, start_ms: float, end_ms: float) -> Iterator[Character]:
    pace = max(end_ms - start_ms, 0) / max(len(text), 1)
    for index, char in enumerate(text):
        yield char, start_ms + pace * index, start_ms + pace * (index + 1)
