"""Marks of pauses in plain text: `[pause 1.5s]`, and `<break time="1.5s"/>` where it counts.

A text is normalized with its marks in it, for emphasis or a quotation may reach across one. Until
then a sign stands for each, which no rule of normalization knows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import regex

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.names import shown
from qwen_tts_api.service.text.patterns import compile_pattern, find_matches
from qwen_tts_api.service.text.script.passage import Passage, check_num_passages
from qwen_tts_api.service.text.script.pauses import DEFAULT_PAUSE_S, read_time
from qwen_tts_api.service.text.verbalize.edits import Edit

_SIGN = "\N{MUSICAL SYMBOL QUARTER REST}"
"""Nobody says it: where a text has one, nothing is lost."""

_HIDDEN = compile_pattern(rf"{_SIGN}(\d{{1,5}}){_SIGN}")
_OWN = compile_pattern(_SIGN)
_MARK = compile_pattern(r"(?i)\[pause\b(?P<time>[^\[\]\n]{0,80}+)\]")
_TAG = compile_pattern(
    r"""(?i)<break(?:\s++time\s*=\s*(?:"(?P<time>[^"<>]{0,80})"|'(?P<time>[^'<>]{0,80})'))?\s*/?>"""
)


def is_pause_mark(text: str) -> bool:
    """Return whether a text is a mark of a pause in brackets, be it right or wrong."""
    return _MARK.fullmatch(text) is not None


def find_marks(passage: Passage) -> tuple[list[Edit], list[float]]:
    """Return the edits that put a sign in the place of each mark, and the pauses that those are.

    Raises:
        InvalidRequest: A mark says something that is not understood, or there are too many.
    """
    marks = sorted(
        itertools.chain(
            find_matches(passage.text, "[", _MARK) if passage.has_pause_marks else (),
            find_matches(passage.text, "<", _TAG) if passage.has_break_tags else (),
        ),
        key=lambda mark: int(mark.start()),
    )
    check_num_passages(len(marks) + 1)
    signs = [Edit(*mark.span(), f" {_SIGN}{n}{_SIGN} ", "") for n, mark in enumerate(marks)]
    own = [Edit(*sign.span(), " ", "") for sign in find_matches(passage.text, _SIGN, _OWN)]
    inside = {place for sign in signs for place in range(sign.start, sign.end)} if own else set()
    signs += [sign for sign in own if sign.start not in inside]
    return sorted(signs), [_read(mark) for mark in marks]


def split_at_marks(passage: Passage, pauses_s: Sequence[float]) -> list[Passage]:
    """Return the parts of a passage between the signs of `find_marks` that are left in it."""
    signs = list(find_matches(passage.text, _SIGN, _HIDDEN))
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
