"""Gather a script from pieces of text, boundaries and pauses, as a document is read."""

from __future__ import annotations

from dataclasses import replace

from qwen_tts_api.service.text.patterns import compile_pattern, substitute
from qwen_tts_api.service.text.script.passage import (
    PLAIN,
    Passage,
    Script,
    Style,
    check_num_passages,
)
from qwen_tts_api.service.text.sentences import Boundary, find_clauses, find_sentences

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}、。，！？；：」』）】]"
_LINE_END = compile_pattern(rf"(?<={_UNSPACED})\s*\n\s*(?={_UNSPACED})")
_SPACES = compile_pattern(r"\s++")


class ScriptBuilder:
    """Makes passages of text without markup, whose white space means no more than a space.

    A passage ends where the style changes, at a boundary and at a pause.
    """

    def __init__(self) -> None:
        self._passages: list[Passage] = []
        self._lead_s = 0.0
        self._text: list[str] = []
        self._style = PLAIN

    def add_text(self, text: str, style: Style) -> None:
        """Add text; white space alone is of no style."""
        if not text.isspace():
            if style != self._style:
                self._end_passage(None)
            self._style = style
        self._text.append(text)

    def end(self, boundary: Boundary) -> None:
        """End a sentence or a paragraph, or begin one."""
        if not self._end_passage(boundary) and self._passages:
            last = self._passages[-1]
            self._passages[-1] = replace(last, boundary=max(last.boundary, boundary))

    def add_pause(self, seconds: float) -> None:
        """State a pause; several in a row are one, as long as all of them."""
        self._end_passage(None)
        if self._passages:
            last = self._passages[-1]
            self._passages[-1] = replace(last, pause_s=(last.pause_s or 0.0) + seconds)
        else:
            self._lead_s += seconds

    def build(self) -> Script:
        """Return the script of all that was added; it may have no passage."""
        self._end_passage(Boundary.PARAGRAPH)
        return Script(self._passages, self._lead_s)

    def _end_passage(self, boundary: Boundary | None) -> bool:
        """End what was added, if it is any; without a boundary, it has what its last mark says."""
        text = _squeeze("".join(self._text))
        self._text.clear()
        if not text:
            return False
        boundary = _boundary_behind(text) if boundary is None else boundary
        check_num_passages(len(self._passages) + 1)
        self._passages.append(Passage(text, self._style, boundary=boundary, has_markup=False))
        return True


def _squeeze(text: str) -> str:
    """Return a text with single spaces, and none where lines of Chinese or Japanese end."""
    text, _ = substitute(_LINE_END, "", text.strip())
    return substitute(_SPACES, " ", text)[0]


def _boundary_behind(text: str) -> Boundary:
    """Return the kind of boundary that a text ends with: by its last mark, else that of a word."""
    tail = text[-40:]
    if any(end == len(tail) for end in find_sentences(tail)):
        return Boundary.SENTENCE
    # A clause's mark counts before a space.
    is_clause = any(end == len(tail) for end in find_clauses(f"{tail} "))
    return Boundary.CLAUSE if is_clause else Boundary.WORD
