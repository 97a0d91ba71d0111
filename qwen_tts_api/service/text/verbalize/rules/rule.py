"""A rule: what it looks for, and the words that it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import regex

from qwen_tts_api.service.text.verbalize.languages.language import Language


class Said(NamedTuple):
    """Words for a part of a text.

    Attributes:
        text: The words.
        end: Where the part ends.
        kind: The kind of change.
    """

    text: str
    end: int
    kind: str


Say = Callable[["regex.Match[str]", Language], Said | None]


class Rule(NamedTuple):
    """What begins at a place, if a pattern matches there, and `say` finds words for it."""

    pattern: regex.Pattern[str]
    say: Say
