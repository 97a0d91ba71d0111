"""A rule: what it looks for, and the words that it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.languages.language import Language
from qwen_tts_api.service.text.verbalize.languages.terms import Context

_CONTEXT_CHARS = 80
_MAX_QUOTED_CHARS = 200
_MARK = compile_pattern(r'(?P<digit>[0-9])?"')


class Words(NamedTuple):
    """Words for a part of a text.

    Attributes:
        text: The words.
        end: Where the part ends.
        kind: The kind of change.
    """

    text: str
    end: int
    kind: str


Say = Callable[["regex.Match[str]", Language], Words | None]


def context_of(match: regex.Match[str]) -> Context:
    """Return what is around a match."""
    return context_at(match.string, match.start(), match.end())


def context_at(text: str, begin: int, end: int) -> Context:
    """Return what is around a part of a text."""
    return Context(text[max(0, begin - _CONTEXT_CHARS) : begin], text[end : end + _CONTEXT_CHARS])


def is_quoted(text: str, end: int) -> bool:
    """Return whether a quotation with straight marks is open, which a number does not begin."""
    is_open = False
    for mark in _MARK.finditer(text, max(0, end - _MAX_QUOTED_CHARS), end):
        is_open = not is_open and mark["digit"] is None
    return is_open


class Rule(NamedTuple):
    """What begins at a place, if a pattern matches there, and `say` finds words for it.

    Attributes:
        behind: What may be before the place, of each kind that the pattern requires.
    """

    pattern: regex.Pattern[str]
    say: Say
    behind: tuple[str, ...] = ("",)
