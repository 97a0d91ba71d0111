"""When the words are heard that a client wrote: `$5`, while "five dollars" is spoken."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.times.words import Word, split_words

Span = tuple[float, float]


class WrittenWord(NamedTuple):
    """A word of a written text.

    Attributes:
        start, end: Where it lies in that text.
        said: Where what is spoken of it lies in the spoken one, with the words beside it that are
            spoken as one with it; empty: nothing is.
        heard: When that is heard.
    """

    start: int
    end: int
    said: tuple[int, int]
    heard: Span


class Clock:
    """When places of a spoken text are heard, by the times of its words.

    Args:
        words: Of the text, at least one.
        heard: When each is heard, in any unit.
    """

    def __init__(self, words: Sequence[Word], heard: Sequence[Span]) -> None:
        self._starts = [word.start for word in words]
        self._words = words
        self._heard = heard

    def start(self, place: float) -> float:
        """Return when what begins at a place is heard; in white space, what is behind it."""
        number = max(bisect.bisect_right(self._starts, place) - 1, 0)
        if place >= self._words[number].end and number + 1 < len(self._words):
            number, place = number + 1, 0
        return self._at(number, place)

    def end(self, place: float) -> float:
        """Return when what ends at a place has been heard; in white space, what is before it."""
        return self._at(max(bisect.bisect_left(self._starts, place) - 1, 0), place)

    def _at(self, number: int, place: float) -> float:
        word, (start, end) = self._words[number], self._heard[number]
        share = (min(max(place, word.start), word.end) - word.start) / (word.end - word.start)
        return end if share == 1 else start + share * (end - start)


def time_written(text: str, spoken: Alignment, clock: Clock, heard: Span) -> list[WrittenWord]:
    """Return the words of a written text; each begins where the one before ended, or later.

    Several that are spoken as one, such as "28 November", share its time.

    Args:
        text: With words.
        spoken: Aligns it with what is spoken.
        clock: When that is heard.
        heard: When all of it is heard: the first word begins, and the last ends with that.
    """
    timed, (now, last) = list[WrittenWord](), heard
    words = split_words(text)
    for number, (word, first, end, said) in enumerate(_said(words, spoken)):
        begins = max(now, min(clock.start(first), last)) if first < end else now
        now = max(begins, min(clock.end(end), last)) if first < end else now
        begins = begins if number else heard[0]
        now = now if number + 1 < len(words) else last
        timed.append(WrittenWord(word.start, word.end, said, (begins, now)))
    return timed


def _said(
    words: Sequence[Word], spoken: Alignment
) -> Iterator[tuple[Word, float, float, tuple[int, int]]]:
    """Yield words, from where to where each is spoken, and what is spoken there.

    The former are fractions of characters where a word has only a part of what is spoken as one.
    """
    blocks = list(spoken.placed())
    at = 0
    for word in words:
        while at < len(blocks) - 1 and blocks[at].source_end <= word.start:
            at += 1
        places, ends = list[float](), list[int]()
        for block in blocks[at:]:
            if block.source >= word.end:
                break
            length = block.source_end - block.source
            if length and block.target < block.target_end:
                pace = (block.target_end - block.target) / length
                first = max(word.start, block.source) - block.source
                limit = min(word.end, block.source_end) - block.source
                both = block.target + first * pace, block.target + limit * pace
                places += both
                ends += map(int, both) if block.is_kept else (block.target, block.target_end)
        said = min(ends, default=0), max(ends, default=0)
        yield word, min(places, default=0.0), max(places, default=0.0), said
