"""Edits of a text: spans that other words replace."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import regex

from qwen_tts_api.service.text.patterns import windows


class Edit(NamedTuple):
    """A span of a text, and the words in its place.

    Attributes:
        start, end: The span, in characters.
        text: What replaces it.
        kind: The kind of change, as `normalize.KINDS` has it.
    """

    start: int
    end: int
    text: str
    kind: str


def apply(text: str, edits: Sequence[Edit]) -> str:
    """Return a text with its edits, which are in order and do not overlap."""
    parts, position = [], 0
    for edit in edits:
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


def find_edits(
    text: str,
    pattern: regex.Pattern[str],
    replacement: Callable[[regex.Match[str]], str],
    kind: str,
) -> list[Edit]:
    """Return the edits that replace a pattern's matches, none of which spans two windows."""
    edits, position = list[Edit](), 0
    for window in windows(text):
        for match in pattern.finditer(window):
            start, end = match.span()
            edits.append(Edit(position + start, position + end, replacement(match), kind))
        position += len(window)
    return edits


def close_up(text: str, edit: Edit) -> Edit:
    """Return an edit with the spaces beside it, in a script that has none between words.

    >>> close_up("共 5 个", Edit(2, 3, "五", "numbers"))
    Edit(start=1, end=4, text='五', kind='numbers')
    """
    start, end = edit.start, edit.end
    if text[start - 1 : start] == " " and _is_wide(text[start - 2 : start - 1] + edit.text[:1]):
        start -= 1
    if text[end : end + 1] == " " and _is_wide(edit.text[-1:] + text[end + 1 : end + 2]):
        end += 1
    return edit._replace(start=start, end=end)


def _is_wide(pair: str) -> bool:
    return len(pair) == 2 and all(unicodedata.east_asian_width(char) == "W" for char in pair)
