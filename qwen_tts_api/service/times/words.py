"""Divide a text into words that have times: what a subtitle shows or a page highlights at once.

In scripts without spaces between words a grapheme cluster is one. Punctuation belongs to the word
before it, an opening mark to the one behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.segments import measure
from qwen_tts_api.service.text.sentences import find_characters, find_clauses, find_sentences

LETTERS_PER_S = 15
"""How many letters, as `segments.measure` counts, are spoken in a second, about."""

DIGIT_LETTERS = 4
"""How many letters a digit is read as, about: "seven", "eighty"."""

_UNSPACED = compile_pattern(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"--[ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々]]"
)
_SPOKEN = compile_pattern(r"[\p{L}\p{N}\p{M}\p{S}]")
_DIGIT = compile_pattern(r"\p{Nd}")
_OPENING = compile_pattern(r"[\p{Ps}\p{Pi}]")
_TOKEN = compile_pattern(r"\S+")


@dataclass(frozen=True)
class Word:
    """A word of a text.

    Attributes:
        start, end: Where it lies in the text, with its punctuation.
        first, last: Where what is spoken of it begins and ends.
        weight: How long it takes to speak, in letters as `segments.measure` counts.
        stop: What ends behind it: 2 is a sentence, 1 a clause, 0 neither.
    """

    start: int
    end: int
    first: int
    last: int
    weight: float
    stop: int


def split_words(text: str) -> list[Word]:
    """Return the words of a text; together they have all of it but white space.

    A text without anything to speak is one word.
    """
    spans: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(text):
        for start, end in _units(text, token.start(), token.end()):
            spans.append((start, end))
    spans = _joined(text, spans)
    stops = find_stops(text, [end for _, end in spans])
    return [_word(text, start, end, stop) for (start, end), stop in zip(spans, stops, strict=True)]


def find_stops(text: str, ends: Sequence[int]) -> list[int]:
    """Return what ends at offsets of a text: 2 is a sentence, 1 a clause, 0 neither."""
    sentences, clauses = set(find_sentences(text)), set(find_clauses(text))
    last = len(text.rstrip())

    def stop(end: int) -> int:
        if end in sentences or end == last:
            return 2
        return 1 if end in clauses and text[end - 1] != "." else 0  # which is an abbreviation's

    return [stop(end) for end in ends]


def _units(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the words of a run without white space."""
    token = text[start:end]
    if _UNSPACED.search(token) is None:
        return [(start, end)]
    bounds, has_core, is_unspaced, position = [0], False, False, 0
    for limit in find_characters(token):
        cluster, begin = token[position:limit], position
        position = limit
        if _UNSPACED.match(cluster):
            if has_core:
                bounds.append(begin)
            has_core = is_unspaced = True
        elif _SPOKEN.match(cluster):
            if has_core and is_unspaced and not _is_small(cluster):
                bounds.append(begin)
                is_unspaced = False
            has_core = True
        elif has_core and _OPENING.match(cluster):
            bounds.append(begin)
            has_core = is_unspaced = False
    bounds.append(len(token))
    return [(start + a, start + b) for a, b in itertools.pairwise(bounds)]


def _is_small(cluster: str) -> bool:
    """Return whether a character goes on with the syllable before it: ゃ, っ, ー, 々."""
    return cluster[0] in "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー々"


def _joined(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join what has nothing to speak with the word before it, or at the beginning with the next."""
    joined: list[tuple[int, int]] = []
    has_core = True
    for start, end in spans:
        is_spoken = _SPOKEN.search(text, start, end) is not None
        if joined and not (is_spoken and has_core):
            joined[-1] = (joined[-1][0], end)
            has_core = has_core or is_spoken
        else:
            joined.append((start, end))
            has_core = is_spoken
    return joined


def _word(text: str, start: int, end: int, stop: int) -> Word:
    spoken = [match.span() for match in _SPOKEN.finditer(text, start, end)]
    first, last = (spoken[0][0], spoken[-1][1]) if spoken else (start, end)
    core = text[first:last]
    weight = measure(core) + (DIGIT_LETTERS - 1) * len(_DIGIT.findall(core))
    return Word(start, end, first, last, weight + 0.5, stop)
