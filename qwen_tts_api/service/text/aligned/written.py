"""What a client wrote of a part of its text, beside what is spoken of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.aligned.comparison import compare


@dataclass(frozen=True)
class Written:
    """A part of a client's text as it came, as a reader would see it, and as it is spoken.

    Attributes:
        start: Where it begins in all of the client's text, in characters.
        text: What a reader would see: without markup, but with its numbers and abbreviations.
        places: Aligns the part as it came with `text`.
        spoken: Aligns `text` with what is spoken.
    """

    start: int
    text: str
    places: Alignment
    spoken: Alignment

    @classmethod
    def of(cls, source: str, places: Alignment, text: str, start: int = 0) -> Written:
        """Return a part that is spoken as a reader would see it.

        Args:
            source: The part; what is surely not seen of it may be blank.
            places: Aligns it as it came with `source`.
            text: As a reader would see it.
            start: Where it begins.
        """
        places = places.then(compare(source, text))
        return cls(start, text, places, Alignment.same(len(text)))

    @classmethod
    def joined(cls, parts: Sequence[Written]) -> Written:
        """Return parts that follow each other as one."""
        places, end = list[Alignment](), parts[0].start
        for part in parts:
            places += [Alignment.removed(part.start - end), part.places]
            end = part.end
        return cls(
            parts[0].start,
            "".join(part.text for part in parts),
            Alignment.joined(places),
            Alignment.joined(part.spoken for part in parts),
        )

    @property
    def end(self) -> int:
        """Where it ends in all of the client's text."""
        return self.start + self.places.source_length

    @cached_property
    def characters(self) -> Alignment:
        """Aligns the part as it came with what is spoken."""
        return self.places.then(self.spoken)

    def said(self, change: Alignment) -> Written:
        """Return the same, after what is spoken was changed."""
        return replace(self, spoken=self.spoken.then(change))

    def stripped(self, spoken: str) -> Written:
        """Return the same without the white space around what is spoken."""
        start, end = len(spoken) - len(spoken.lstrip()), len(spoken.rstrip())
        return replace(self, spoken=self.spoken.trimmed(min(start, end), end))

    def seen(self, text: str) -> Written:
        """Return the same, of which a reader sees only this, with which it begins.

        White space around it is none of it. What is spoken must not be another text yet.
        """
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        places = self.places.trimmed(min(start, end), end)
        return Written(self.start, text.strip(), places, Alignment.same(len(text.strip())))

    def divided(self, starts: Iterable[int]) -> list[Written]:
        """Return the parts that begin at places of what is spoken, of which the first is 0."""
        spoken = self.spoken.cut([*list(starts)[1:], self.spoken.target_length])
        ends, end = list[int](), 0
        for part in spoken:
            end += part.source_length
            ends.append(end)
        parts, start, begin = list[Written](), self.start, 0
        for said, places in zip(spoken, self.places.cut(ends), strict=True):
            end = begin + said.source_length
            parts.append(Written(start, self.text[begin:end], places, said))
            start, begin = start + places.source_length, end
        return parts

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of `text` lies in all of the client's text."""
        begin, last = self.places.source_span(start, end)
        return self.start + begin, self.start + last
