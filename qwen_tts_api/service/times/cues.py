"""Subtitles: cut timed words into cues that can be read.

A cue has up to two lines of 42 columns (wide characters take two) and lasts 1 to 7 s; it ends with
a sentence or a clause where it can. These are the usual limits of subtitles for broadcast.
"""

from __future__ import annotations

import bisect
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen_tts_api.service.text.sentences import find_characters
from qwen_tts_api.service.times.timed import TimedSegment, TimedWord, Times
from qwen_tts_api.service.times.words import find_stops

LINE_COLUMNS = 42
LONGEST_S, SHORTEST_S = 7.0, 1.0

# The cost of a cue: its end, by what ends there (neither, clause, sentence), and every cue itself.
_END_COST = (1.5, 0.4, 0.0)
_CUE_COST = 0.3
_SHORT_COST = 2.0  # for each second that a cue is shorter than SHORTEST_S


@dataclass(frozen=True)
class Cue:
    """A subtitle.

    Attributes:
        start_ms, end_ms: When it is shown; the end is behind the start.
        lines: One or two, not blank.
        speaker: As of its segment.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str = ""


def make_cues(times: Times) -> list[Cue]:
    """Return the subtitles of a file: in order, none overlaps another or outlasts the audio."""
    spoken = [(part, each.speaker) for each in times.segments for part in _parts(each)]
    parts = [part for part, _ in spoken]
    last_ms = int(1000 * times.duration_s)
    starts = [min(round(1000 * part[0].start_s), last_ms) for part in parts]
    cues: list[Cue] = []
    for number, part in enumerate(parts):
        limit = starts[number + 1] if number + 1 < len(parts) else last_ms
        start = max(starts[number], cues[-1].end_ms if cues else 0)
        wanted = max(round(1000 * part[-1].end_s), start + round(1000 * SHORTEST_S))
        end = max(min(wanted, limit), min(start + 1, last_ms))
        if end > start:
            cues.append(Cue(start, end, tuple(_lines(part)), spoken[number][1]))
    return cues


def _parts(segment: TimedSegment) -> Iterator[list[TimedWord]]:
    """Yield the words of each cue of a segment, in the split that costs least in all."""
    words = [piece for word in segment.words for piece in _pieces(word)]
    marks = _marks(words)
    stops = _stops(words)
    costs, begins = [0.0], [0]
    for end in range(1, len(words) + 1):
        best, best_begin = float("inf"), end - 1
        for begin in range(end - 1, -1, -1):
            length_s = words[end - 1].end_s - words[begin].start_s
            too_long = length_s > LONGEST_S or _halved(marks, begin, end) is None
            if begin < end - 1 and too_long:
                break
            cost = costs[begin] + _CUE_COST + _END_COST[stops[end - 1]]
            cost += _SHORT_COST * max(0.0, SHORTEST_S - length_s)
            if cost < best:
                best, best_begin = cost, begin
        costs.append(best)
        begins.append(best_begin)
    bounds = [len(words)]
    while bounds[-1]:
        bounds.append(begins[bounds[-1]])
    for begin, end in itertools.pairwise(reversed(bounds)):
        yield words[begin:end]


def _marks(words: Sequence[TimedWord]) -> list[int]:
    """Return the column at which each word begins, and the last one ends, all on one line."""
    widths = (columns(word.text) + word.spaced for word in words)
    return list(itertools.accumulate(widths, initial=0))


def _halved(marks: Sequence[int], begin: int, end: int) -> int | None:
    """Return where words are broken into two lines of about equal length, by their marks.

    It is `end` where one line is enough, and None where two are not.
    """
    if marks[end] - marks[begin] <= LINE_COLUMNS + 1:
        return end
    middle = bisect.bisect_left(marks, (marks[begin] + marks[end]) / 2, begin + 1, end)
    widest = {
        max(marks[index] - marks[begin], marks[end] - marks[index]): index
        for index in (middle, middle - 1)
        if begin < index < end
    }
    width = min(widest, default=LINE_COLUMNS + 2)
    return widest[width] if width <= LINE_COLUMNS + 1 else None


def _stops(words: Sequence[TimedWord]) -> list[int]:
    """Return what ends behind each word: 2 is a sentence, 1 a clause, 0 neither."""
    text, ends = "", []
    for word in words:
        text += word.text
        ends.append(len(text))
        text += " " * word.spaced
    return find_stops(text, ends)


def _pieces(word: TimedWord) -> Iterator[TimedWord]:
    """Yield a word in pieces that fit on a line, each with its part of the time."""
    if columns(word.text) <= LINE_COLUMNS:
        yield word
        return
    bounds, position = [0], 0
    for end in find_characters(word.text):
        if columns(word.text[bounds[-1] : end]) > LINE_COLUMNS and position > bounds[-1]:
            bounds.append(position)
        position = end
    bounds.append(len(word.text))
    pace = (word.end_s - word.start_s) / len(word.text)
    for begin, end in itertools.pairwise(bounds):
        start_s, end_s = word.start_s + pace * begin, word.start_s + pace * end
        is_last = end == len(word.text)
        yield TimedWord(
            word.text[begin:end],
            start_s,
            word.end_s if is_last else end_s,
            is_last and word.spaced,
        )


def _lines(words: Sequence[TimedWord]) -> list[str]:
    """Return the text of a cue: one line if it fits, else two."""
    middle = _halved(_marks(words), 0, len(words))
    assert middle is not None
    return [_text(part) for part in (words[:middle], words[middle:]) if part]


def _text(words: Sequence[TimedWord]) -> str:
    text = "".join(word.text + " " * word.spaced for word in words).rstrip()
    return " ".join(text.split())


def columns(text: str) -> int:
    """Return how wide a text is; an East Asian character is as wide as two others.

    >>> columns("abc"), columns("北京")
    (3, 4)
    """
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char)
        for char in text
    )
