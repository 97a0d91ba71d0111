"""The times of segments and words, as clients get them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.times.estimate import Span
from qwen_tts_api.service.times.words import Word
from qwen_tts_api.service.times.written_words import Clock, time_written


@dataclass(frozen=True)
class TimedWord:
    """A word, and when it is heard.

    Attributes:
        text: With its punctuation.
        start_s, end_s: From the beginning of the file, in seconds.
        spaced: Whether white space follows in the text.
        place: Where it lies in all of the client's text, in characters, where that is known.
        spoken: What is spoken for it, where that is not the same.
    """

    text: str
    start_s: float
    end_s: float
    spaced: bool
    place: tuple[int, int] | None = None
    spoken: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        place = zip(("char_start", "char_end"), self.place or (), strict=False)
        return {
            "word": self.text,
            "start": _rounded(self.start_s),
            "end": _rounded(self.end_s),
            **dict(place),
            **({"spoken": self.spoken} if self.spoken else {}),
        }


@dataclass(frozen=True)
class SegmentText:
    """The text of a segment, with all that its times depend on.

    Attributes:
        text: As the model gets it; not blank.
        tempo: By how much its samples are faster than the model spoke.
        speaker: Who says it, where there are several.
        written: The part of the client's text that it is made of, if known.
    """

    text: str
    tempo: float = 1.0
    speaker: str = ""
    written: Written | None = None


@dataclass(frozen=True)
class Spoken:
    """What is spoken of a segment, where it is not as it was written.

    Attributes:
        text: That the model was given.
        words: Of it; none where they are not known.
    """

    text: str
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True)
class TimedSegment:
    """A segment of a text, and when it is heard.

    Attributes:
        text: As a reader would see it: without markup, but not in other words.
        start_s, end_s: Begin and end of its speech, from the beginning of the file, in seconds.
        words: At least one; they do not overlap. The first begins and the last ends with the
            segment.
        estimated: Whether times within it are estimated; else they are the model's own.
        speaker: Who says it, of a text with several voices.
        spoken: What is spoken, and its words likewise, where that is not the same.
        written: What the client wrote of it, where that is known.
    """

    text: str
    start_s: float
    end_s: float
    words: tuple[TimedWord, ...]
    estimated: bool
    speaker: str = ""
    spoken: Spoken | None = None
    written: Written | None = None

    @property
    def said(self) -> Spoken:
        """What is spoken, whether that is as it was written or not."""
        return self.spoken or Spoken(self.text, self.words)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; times are rounded to milliseconds."""
        spoken = {"spoken": self.spoken.text} if self.spoken else {}
        speaker = {"speaker": self.speaker} if self.speaker else {}
        return {
            **speaker,
            "text": self.text,
            "start": _rounded(self.start_s),
            "end": _rounded(self.end_s),
            "estimated": self.estimated,
            "words": [word.document() for word in self.words],
            **spoken,
        }


@dataclass(frozen=True)
class Times:
    """When the text of a file is heard.

    Attributes:
        segments: In their order.
        duration_s: Of the file, in seconds.
    """

    segments: tuple[TimedSegment, ...]
    duration_s: float

    @property
    def estimated(self) -> bool:
        """Whether any word's times are estimated."""
        return any(segment.estimated for segment in self.segments)


def timed_segment(
    said: SegmentText, words: Sequence[Word], heard: Sequence[Span], *, estimated: bool
) -> TimedSegment:
    """Return when a segment is heard, in the words that the client wrote.

    Args:
        said: What is spoken of it.
        words: Of what is spoken.
        heard: When each of them is heard, in seconds.
        estimated: Whether that is estimated.
    """
    timed = tuple(
        TimedWord(said.text[word.start : word.end], *times, spaced=_is_spaced(said.text, word.end))
        for word, times in zip(words, heard, strict=True)
    )
    text, written, spoken = said.text, said.written, None
    start_s, end_s = heard[0][0], heard[-1][1]
    if written and written.text.strip():
        text = written.text.strip()
        timed_words = _written_words(said, written, Clock(words, heard), (start_s, end_s))
        spoken = None if text == said.text else Spoken(said.text, timed)
        timed = tuple(timed_words)
    return TimedSegment(text, start_s, end_s, timed, estimated, said.speaker, spoken, written)


def _written_words(
    said: SegmentText, written: Written, clock: Clock, heard: Span
) -> Iterator[TimedWord]:
    """Yield the words that the client wrote."""
    for start, end, (first, last), (start_s, end_s) in time_written(
        written.text, written.spoken, clock, heard
    ):
        text, spoken = written.text[start:end], said.text[first:last].strip()
        yield TimedWord(
            text,
            start_s,
            end_s,
            spaced=_is_spaced(written.text, end),
            place=written.place(start, end),
            spoken="" if spoken == text else spoken,
        )


def _is_spaced(text: str, end: int) -> bool:
    return text[end : end + 1].isspace()


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
