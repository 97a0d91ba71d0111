"""Parts of a text that arrives, which do not change any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.markup.markup import blank_markup
from qwen_tts_api.service.text.segments import find_starts, measure, split
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.text.verbalize.edits import Edit
from qwen_tts_api.service.text.verbalize.wording import Wording


@dataclass(frozen=True)
class StableText:
    """A part of a text that does not change any more.

    Attributes:
        text: Normalized, with the white space between it and the part before; may have no words.
        start, end: Where it lies in the text as it came, in characters; near where markup was
            taken out.
        boundary: The kind of boundary at its end.
        source: It as it came.
        seen: It as a reader would see it.
        spoken: Aligns `seen` with `text`.
    """

    text: str
    start: int
    end: int
    boundary: Boundary
    source: str
    seen: str
    spoken: Alignment

    @property
    def written(self) -> Written:
        """What the client wrote of it."""
        return Written.of(*blank_markup(self.source), self.seen, self.start).said(self.spoken)


@dataclass(frozen=True)
class StatedPause:
    """A pause that a text states.

    Attributes:
        seconds: How long it is.
        end: Where its mark ends in the text as it came, in characters.
    """

    seconds: float
    end: int

    def behind(self, other: StatedPause | None) -> StatedPause:
        """Return this pause and another before it as one."""
        return replace(self, seconds=self.seconds + other.seconds) if other else self


def word(text: StableText, wording: Wording) -> StableText:
    """Return a part in the words that are spoken."""
    worded, _, alignment = wording.word_aligned(text.text)
    return replace(text, text=worded, spoken=text.spoken.then(alignment))


def word_all(
    texts: Iterable[StableText], wording: Wording, max_letters: int
) -> Iterator[StableText]:
    """Yield parts in the words that are spoken, those that are too long for a segment divided."""
    for text in texts:
        words = word(text, wording)
        if words.text == text.text or measure(words.text) <= max_letters:
            yield words
            continue
        yield from _divide(words, max_letters)


def _divide(words: StableText, max_letters: int) -> Iterator[StableText]:
    """Yield the parts of a part that is too long."""
    said = words.text.strip()
    segments = split(said, max_letters)
    starts = find_starts(said, [segment.text for segment in segments])
    parts = words.written.stripped(words.text).divided(starts)
    for segment, part, start, end in zip(
        segments, parts, starts, [*starts[1:], len(said)], strict=True
    ):
        source = words.source[part.start - words.start : part.end - words.start]
        spoken = part.stripped(said[start:end]).spoken
        spoken = Alignment.joined([Alignment.edited(0, [Edit(0, 0, " ", "")]), spoken])
        is_last = end == len(said)
        boundary = words.boundary if is_last else segment.boundary
        yield StableText(
            f" {segment.text}", part.start, part.end, boundary, source, part.text, spoken
        )
