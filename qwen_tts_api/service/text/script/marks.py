"""Marks of pauses in plain text: `[pause 1.5s]`, and `<break time="1.5s"/>` where it counts.

A text is normalized with its marks in it, for emphasis or a quotation may reach across one. Until
then a sign stands for each, which no rule of normalization knows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import regex

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.names import shown
from qwen_tts_api.service.text.patterns import compile_pattern, find_matches
from qwen_tts_api.service.text.script.passage import Passage, check_num_passages
from qwen_tts_api.service.text.script.pauses import DEFAULT_PAUSE_S, read_time
from qwen_tts_api.service.text.verbalize.edits import Edit

SIGN = "\N{MUSICAL SYMBOL QUARTER REST}"
"""Nobody says it: where a text has one, nothing is lost."""

MAX_MARK_CHARS = 200
"""Of a mark that comes in pieces; what is longer is text."""

_HIDDEN = compile_pattern(rf"{SIGN}(\d{{4}}){SIGN}*+")
_OWN = compile_pattern(SIGN)
_MARK = compile_pattern(r"(?i)\[pause\b(?P<time>[^\[\]\n]{0,80}+)\]")
_TAG = compile_pattern(
    r"""(?i)<break(?:\s++time\s*=\s*(?:"(?P<time>[^"<>]{0,80})"|'(?P<time>[^'<>]{0,80})'))?\s*/?>"""
)


class MarkKinds(NamedTuple):
    """What counts as a mark.

    Attributes:
        pauses: Whether `[pause]` does.
        tags: Whether `<break/>` does.
    """

    pauses: bool = False
    tags: bool = False

    @property
    def patterns(self) -> Mapping[str, regex.Pattern[str]]:
        """Their patterns, by the character that each begins with."""
        known = {"[": (_MARK, self.pauses), "<": (_TAG, self.tags)}
        return {first: pattern for first, (pattern, counts) in known.items() if counts}


NO_MARKS = MarkKinds()
"""None counts."""


def is_pause_mark(text: str) -> bool:
    """Return whether a text is a mark of a pause in brackets, be it right or wrong."""
    return _MARK.fullmatch(text) is not None


def find_marks(text: str, kinds: MarkKinds, num_before: int = 0) -> tuple[list[Edit], list[float]]:
    """Return the edits that put a sign in the place of each mark, and the pauses that those are.

    A sign is as long as its mark, so that no place in the text moves.

    Args:
        text: As it came.
        kinds: What counts.
        num_before: How many marks came before this text, from which signs are numbered.

    Raises:
        InvalidRequest: A mark says something that is not understood, or there are too many.
    """
    marks = sorted(
        itertools.chain(
            *(find_matches(text, first, pattern) for first, pattern in kinds.patterns.items())
        ),
        key=lambda mark: int(mark.start()),
    )
    check_num_passages(num_before + len(marks) + 1)
    signs = [
        Edit(*mark.span(), f" {f'{SIGN}{number:04}':{SIGN}<{len(mark[0]) - 2}} ", "")
        for number, mark in enumerate(marks, num_before)
    ]
    own = [Edit(*sign.span(), " ", "") for sign in find_matches(text, SIGN, _OWN)]
    inside = {place for sign in signs for place in range(sign.start, sign.end)} if own else set()
    signs += [sign for sign in own if sign.start not in inside]
    return sorted(signs), [_read(mark) for mark in marks]


def find_sign(text: str, start: int) -> tuple[int, int, int] | None:
    """Return where the first sign is, from and to, and the number of its mark."""
    found = _HIDDEN.search(text, start)
    return (*found.span(), int(found[1])) if found else None


def begins_mark(text: str, kinds: MarkKinds) -> int:
    """Return where a mark begins that the text may end in the middle of, else its length."""
    places = [len(text)]
    for first, pattern in kinds.patterns.items():
        place = text.rfind(first)
        if place >= 0 and len(text) - place < MAX_MARK_CHARS:
            found = pattern.fullmatch(text, place, partial=True)
            places += [place] if found and found.partial else []
    return min(places)


def split_at_marks(passage: Passage, pauses_s: Sequence[float]) -> list[Passage]:
    """Return the parts of a passage between the signs of `find_marks` that are left in it."""
    signs = list(find_matches(passage.text, SIGN, _HIDDEN))
    starts = [0, *(sign.end() for sign in signs)]
    ends = [*(sign.start() for sign in signs), len(passage.text)]
    pauses = [*(pauses_s[int(sign[1])] for sign in signs), passage.pause_s]
    written = passage.written.divided(starts) if passage.written else [None] * len(starts)
    return [
        replace(
            passage,
            text=passage.text[start:end].strip(),
            pause_s=pause_s,
            written=part and part.seen(passage.text[start:end]) if signs else passage.written,
        )
        for start, end, pause_s, part in zip(starts, ends, pauses, written, strict=True)
    ]


def _read(mark: regex.Match[str]) -> float:
    time = (mark["time"] or "").strip()
    try:
        return read_time(time.lower()) if time else DEFAULT_PAUSE_S
    except ValueError as error:
        raise InvalidRequest(
            f"In {shown(mark[0])} {shown(time)} {error}.",
            fields={"text": ["Has a mark of a pause that is not understood."]},
        ) from None
