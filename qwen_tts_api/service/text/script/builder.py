"""Gather a script from pieces of text, boundaries and pauses, as a document is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from qwen_tts_api.service.text.aligned.alignment import Alignment, Block
from qwen_tts_api.service.text.aligned.comparison import compare
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.markup.markup import BLANK
from qwen_tts_api.service.text.patterns import compile_pattern, substitute
from qwen_tts_api.service.text.script.passage import (
    PLAIN,
    Passage,
    Script,
    Style,
    check_num_passages,
)
from qwen_tts_api.service.text.sentences import Boundary, find_clauses, find_sentences
from qwen_tts_api.service.text.verbalize.edits import Edit, apply

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}、。，！？；：」』）】]"
_LINE_END = compile_pattern(rf"(?<={_UNSPACED})\s*\n\s*(?={_UNSPACED})")
_ENTITY = compile_pattern(r"&(?:#?\w++);")
_SPACES = compile_pattern(r"\s++")


class Source:
    """A document, of which only what is text is there, once it has been read.

    Args:
        document: All of it.
        start: Where it begins in the client's text.
        own: From where to where it is the client's own; what is around that is none of its text.

    Attributes:
        position: Up to where it has been read, in characters.
    """

    def __init__(self, document: str, start: int, own: tuple[int, int]) -> None:
        self.position = 0
        self._document = document
        self._start = start
        self._text = [BLANK] * len(document)
        self._entities: list[Edit] = []
        self._taken, self._end = own

    def add(self, text: str) -> None:
        """Note text that stands at the position, or a character whose entity does."""
        entity = _ENTITY.match(self._document, self.position)
        if entity and len(text) == 1:
            self._entities.append(Edit(*entity.span(), text, ""))
        self._text[self.position : self.position + len(text)] = text

    def take(self, text: str) -> Written:
        """Return what was read since the last time, as what became of its text."""
        begin, self._taken = self._taken, min(self.position, self._end)
        entities = [
            edit._replace(start=edit.start - begin, end=edit.end - begin)
            for edit in self._entities
            if edit.start < self._taken
        ]
        self._entities = self._entities[len(entities) :]
        source = "".join(self._text[begin : self._taken])
        places = Alignment.edited(len(source), entities)
        places = places.then(compare(apply(source, entities), text))
        return Written(self._start + begin, text, places, Alignment.same(len(text)))


class _Piece(NamedTuple):
    """A piece of text, as it is spoken and as it is written."""

    said: str
    written: str


class ScriptBuilder:
    """Makes passages of text without markup, whose white space means no more than a space.

    A passage ends where the style changes, at a boundary and at a pause.

    Args:
        source: The document, if passages are to have the client's text that they are made of.
    """

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._passages: list[Passage] = []
        self._lead_s = 0.0
        self._text: list[_Piece] = []
        self._style = PLAIN

    def add_text(self, text: str, style: Style, written: str | None = None) -> None:
        """Add text; white space alone is of no style.

        Args:
            text: What is spoken.
            style: How.
            written: What a reader would see instead of it.
        """
        if not text.isspace():
            if style != self._style:
                self._end_passage(None)
            self._style = style
        self._text.append(_Piece(text, text if written is None else written))

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
        pieces, self._text = self._text, []
        text = _squeeze("".join(piece.said for piece in pieces))
        if not text:
            return False
        boundary = _boundary_behind(text) if boundary is None else boundary
        check_num_passages(len(self._passages) + 1)
        written = _written(pieces, self._source) if self._source else None
        self._passages.append(
            Passage(text, self._style, boundary=boundary, has_markup=False, written=written)
        )
        return True


def _written(pieces: Sequence[_Piece], source: Source) -> Written:
    """Return what a client wrote of a passage that pieces are read of."""
    said, seen = ("".join(texts) for texts in zip(*pieces, strict=True))
    replaced = Alignment.of(
        Block(len(piece.written), len(piece.said), is_kept=piece.written == piece.said)
        for piece in pieces
    )
    text = _squeeze(seen)
    change = compare(seen, text).reversed.then(replaced).then(compare(said, _squeeze(said)))
    return replace(source.take(text), spoken=change)


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
