"""Divide a long text into segments, each of which the model speaks as one utterance.

A text that fits is one segment, unchanged. Others are divided where it is heard least: the whole
text's best division is looked for, so that no short rest is left over at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import regex

from qwen_tts_api.service.text.pieces import PIECE
from qwen_tts_api.service.text.sentences import (
    Boundary,
    find_characters,
    find_clauses,
    find_lines,
    find_paragraphs,
    find_sentences,
    find_words,
)

# Speech takes about as long for one of these as for so many Latin letters: some 15 letters, 5
# Chinese characters or 7 syllables a second.
_HAN = regex.compile(r"\p{Han}")
_SYLLABLES = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")
HAN_WEIGHT = 3
SYLLABLE_WEIGHT = 2

# What a division costs, against 1 for leaving a segment empty.
_COSTS = {
    Boundary.PARAGRAPH: -0.1,
    Boundary.SENTENCE: 0.0,
    Boundary.LINE: 0.2,
    Boundary.CLAUSE: 0.6,
    Boundary.WORD: 2.0,
    Boundary.CHARACTER: 3.0,
}


# Tiny parts are put together, so that the search looks at no more than twice as many a segment.
_MAX_PARTS = 20


@dataclass(frozen=True)
class Segment:
    """A part of a text.

    Attributes:
        text: Without white space around it.
        boundary: Where it was divided from the next; PARAGRAPH for the last.
    """

    text: str
    boundary: Boundary


@dataclass(frozen=True)
class _Part:
    """A part of a text that fits into a segment, and the kind of place where it ends."""

    start: int
    end: int
    weight: int
    boundary: Boundary


def measure(text: str) -> int:
    """Return a text's length in letters, by the time that it takes to speak.

    >>> measure("abc"), measure("北京")
    (3, 6)
    """
    length = len(text)
    for start in range(0, len(text), PIECE):
        end = start + PIECE
        length += (HAN_WEIGHT - 1) * len(_HAN.findall(text, start, end))
        length += (SYLLABLE_WEIGHT - 1) * len(_SYLLABLES.findall(text, start, end))
    return length


def split(text: str, max_letters: int) -> list[Segment]:
    """Return the segments of a text: nothing is lost but white space between them.

    Args:
        text: Has something in it besides white space.
        max_letters: The longest segment, as `measure` counts. A single character as people count
            them, with all its accents, may be longer.
    """
    if measure(text) <= max_letters:
        return [Segment(text.strip(), Boundary.PARAGRAPH)]
    whole = _Part(0, len(text), measure(text), Boundary.PARAGRAPH)
    parts = list(_divide(text, whole, max_letters, 0))
    chosen = _choose(list(_group(parts, max_letters // _MAX_PARTS)), max_letters)
    bounds = itertools.pairwise([0, *(part.end for part in chosen)])
    segments = [
        Segment(text[start:end].strip(), part.boundary)
        for (start, end), part in zip(bounds, chosen, strict=True)
    ]
    return [segment for segment in segments if segment.text]


_Find = Callable[[str], Iterator[int]]
_LEVELS: list[tuple[Boundary, _Find]] = [
    (Boundary.PARAGRAPH, find_paragraphs),
    (Boundary.SENTENCE, find_sentences),
    (Boundary.LINE, find_lines),
    (Boundary.CLAUSE, find_clauses),
    (Boundary.WORD, find_words),
    (Boundary.CHARACTER, find_characters),
]


def _divide(text: str, part: _Part, max_letters: int, level: int) -> Iterator[_Part]:
    """Yield the parts of a part: sentences, and what is smaller only where one is too long."""
    if level == len(_LEVELS) or (level > 1 and part.weight <= max_letters):
        yield part
        return
    boundary, find = _LEVELS[level]
    content = text[part.start : part.end]
    ends = [part.start + end for end in find(content) if 0 < end < len(content)]
    smaller = [
        _Part(start, end, measure(text[start:end]), boundary if end < part.end else part.boundary)
        for start, end in itertools.pairwise([part.start, *ends, part.end])
    ]
    if boundary <= Boundary.WORD:
        smaller = list(_fill(smaller, max_letters))
    for each in smaller:
        yield from _divide(text, each, max_letters, level + 1)


def _fill(parts: Sequence[_Part], max_letters: int) -> Iterator[_Part]:
    """Yield words or characters put together to parts of about equal length."""
    total = sum(part.weight for part in parts)
    aim = total / math.ceil(total / max_letters)
    first, weight, filled, num_filled = parts[0], 0, 0, 1
    for part, following in itertools.zip_longest(parts, parts[1:]):
        weight += part.weight
        filled += part.weight
        if (
            following is None
            or filled >= num_filled * aim
            or weight + following.weight > max_letters
        ):
            yield _Part(first.start, part.end, weight, part.boundary)
            first, weight, num_filled = following, 0, num_filled + 1


def _group(parts: Sequence[_Part], max_letters: int) -> Iterator[_Part]:
    """Yield the parts, neighbours put together as long as both have but `max_letters`."""
    group = parts[0]
    for part in parts[1:]:
        weight = group.weight + part.weight
        if weight <= max_letters:
            group = _Part(group.start, part.end, weight, part.boundary)
        else:
            yield group
            group = part
    yield group


def _choose(parts: Sequence[_Part], max_letters: int) -> list[_Part]:
    """Return the parts that segments end with: the cheapest way to divide the text."""
    costs = [0.0]
    begins = [0]
    for end in range(1, len(parts) + 1):
        best, best_begin, weight = math.inf, end - 1, 0
        for begin in range(end - 1, -1, -1):
            weight += parts[begin].weight
            if weight > max_letters and begin < end - 1:
                break
            emptiness = max(0.0, 1 - weight / max_letters)
            cost = costs[begin] + emptiness**2 + _COSTS[parts[end - 1].boundary]
            if cost < best:
                best, best_begin = cost, begin
        costs.append(best)
        begins.append(best_begin)
    chosen = []
    end = len(parts)
    while end:
        chosen.append(parts[end - 1])
        end = begins[end]
    return chosen[::-1]
