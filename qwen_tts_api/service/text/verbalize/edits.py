"""Edits of a text: spans that other words replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


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
