"""Split a long text into segments, each of which the model speaks as one utterance.

A text that fits is one segment, unchanged. For others the cheapest sequence of boundaries is found
by dynamic programming over the whole text, so that no short segment is left over at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from qwen_tts_api.service.text.patterns import WINDOW_CHARS, compile_pattern
from qwen_tts_api.service.text.sentences import (
    Boundary,
    find_characters,
    find_clauses,
    find_lines,
    find_paragraphs,
    find_sentences,
    find_words,
)

# How many Latin letters take as long to speak as one of these: speech has about 15 letters, 5
# Chinese characters, or 7 kana or Hangul syllables a second.
_HAN = compile_pattern(r"\p{Han}")
_SYLLABLES = compile_pattern(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")
HAN_WEIGHT = 3
SYLLABLE_WEIGHT = 2

# The cost of a boundary; a segment costs up to 1 by the square of the part of it that is unused.
_COSTS = {
    Boundary.PARAGRAPH: -0.1,
    Boundary.SENTENCE: 0.0,
    Boundary.LINE: 0.2,
    Boundary.CLAUSE: 0.6,
    Boundary.WORD: 2.0,
    Boundary.CHARACTER: 3.0,
}

# Short neighbouring spans are merged, so that the search tries at most twice as many a segment.
_SPANS_PER_SEGMENT = 20


@dataclass(frozen=True)
class Segment:
    """A part of a text that is spoken as one utterance.

    Attributes:
        text: Without surrounding white space.
        boundary: The kind of boundary at its end; PARAGRAPH for the last.
    """

    text: str
    boundary: Boundary


@dataclass(frozen=True)
class _Span:
    """A span of a text that fits into a segment, and the kind of boundary at its end."""

    start: int
    end: int
    weight: int
    boundary: Boundary


def measure(text: str) -> int:
    """Return a text's length in Latin letters that take as long to speak.

    >>> measure("abc"), measure("北京")
    (3, 6)
    """
    length = len(text)
    for start in range(0, len(text), WINDOW_CHARS):
        end = start + WINDOW_CHARS
        length += (HAN_WEIGHT - 1) * len(_HAN.findall(text, start, end))
        length += (SYLLABLE_WEIGHT - 1) * len(_SYLLABLES.findall(text, start, end))
    return length


def split(text: str, max_letters: int) -> list[Segment]:
    """Split a text into segments; only white space between them is lost.

    Args:
        text: Not only white space.
        max_letters: The longest segment, as `measure` counts. A single grapheme cluster may be
            longer.
    """
    if measure(text) <= max_letters:
        return [Segment(text.strip(), Boundary.PARAGRAPH)]
    whole = _Span(0, len(text), measure(text), Boundary.PARAGRAPH)
    spans = list(_split_span(text, whole, max_letters, 0))
    last_spans = _find_cheapest(
        list(_merge_short(spans, max_letters // _SPANS_PER_SEGMENT)), max_letters
    )
    bounds = itertools.pairwise([0, *(span.end for span in last_spans)])
    segments = [
        Segment(text[start:end].strip(), span.boundary)
        for (start, end), span in zip(bounds, last_spans, strict=True)
    ]
    return [segment for segment in segments if segment.text]


def find_starts(text: str, parts: Iterable[str]) -> list[int]:
    """Return where parts of a text begin that follow each other, as those of its segments do."""
    starts, position = list[int](), 0
    for part in parts:
        starts.append(text.index(part, position))
        position = starts[-1] + len(part)
    return starts


_FindBoundaries = Callable[[str], Iterator[int]]
_LEVELS: list[tuple[Boundary, _FindBoundaries]] = [
    (Boundary.PARAGRAPH, find_paragraphs),
    (Boundary.SENTENCE, find_sentences),
    (Boundary.LINE, find_lines),
    (Boundary.CLAUSE, find_clauses),
    (Boundary.WORD, find_words),
    (Boundary.CHARACTER, find_characters),
]


def _split_span(text: str, span: _Span, max_letters: int, level: int) -> Iterator[_Span]:
    """Yield the sentences of a span; one that is too long is split at the next lower level."""
    if level == len(_LEVELS) or (level > 1 and span.weight <= max_letters):
        yield span
        return
    boundary, find = _LEVELS[level]
    content = text[span.start : span.end]
    ends = [span.start + end for end in find(content) if 0 < end < len(content)]
    smaller = [
        _Span(start, end, measure(text[start:end]), boundary if end < span.end else span.boundary)
        for start, end in itertools.pairwise([span.start, *ends, span.end])
    ]
    if boundary <= Boundary.WORD:
        smaller = list(_merge_evenly(smaller, max_letters))
    for each in smaller:
        yield from _split_span(text, each, max_letters, level + 1)


def _merge_evenly(spans: Sequence[_Span], max_letters: int) -> Iterator[_Span]:
    """Merge words or characters into spans of about equal length."""
    total = sum(span.weight for span in spans)
    target = total / math.ceil(total / max_letters)
    first, weight, merged, num_merged = spans[0], 0, 0, 1
    for span, following in itertools.zip_longest(spans, spans[1:]):
        weight += span.weight
        merged += span.weight
        if (
            following is None
            or merged >= num_merged * target
            or weight + following.weight > max_letters
        ):
            yield _Span(first.start, span.end, weight, span.boundary)
            first, weight, num_merged = following, 0, num_merged + 1


def _merge_short(spans: Sequence[_Span], max_letters: int) -> Iterator[_Span]:
    """Merge neighbouring spans as long as they have up to `max_letters` together."""
    merged = spans[0]
    for span in spans[1:]:
        weight = merged.weight + span.weight
        if weight <= max_letters:
            merged = _Span(merged.start, span.end, weight, span.boundary)
        else:
            yield merged
            merged = span
    yield merged


def _find_cheapest(spans: Sequence[_Span], max_letters: int) -> list[_Span]:
    """Return the last span of each segment, in the split with the lowest total cost."""
    costs = [0.0]
    begins = [0]
    for end in range(1, len(spans) + 1):
        best, best_begin, weight = math.inf, end - 1, 0
        for begin in range(end - 1, -1, -1):
            weight += spans[begin].weight
            if weight > max_letters and begin < end - 1:
                break
            unused = max(0.0, 1 - weight / max_letters)
            cost = costs[begin] + unused**2 + _COSTS[spans[end - 1].boundary]
            if cost < best:
                best, best_begin = cost, begin
        costs.append(best)
        begins.append(best_begin)
    last_spans = []
    end = len(spans)
    while end:
        last_spans.append(spans[end - 1])
        end = begins[end]
    return last_spans[::-1]
