"""Normalize a text that arrives in pieces, and find the sentences in it that are whole.

A sentence is given away when neither its words nor its end can change any more, whatever follows:
the text so far is normalized as it is, and once more with everything behind it that could close
what is open (emphasis, a link, a tag, a code block). What all have in common is stable. So there is
one grammar of markup, that of `normalize`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.alignment import align, common, num_visible, skip, squash
from qwen_tts_api.service.text.markup.unclosed import closers
from qwen_tts_api.service.text.normalize import normalize_text
from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.script.arriving_marks import ArrivingMarks
from qwen_tts_api.service.text.script.marks import NO_MARKS, SIGN, MarkKinds
from qwen_tts_api.service.text.segments import measure, split
from qwen_tts_api.service.text.sentences import (
    Boundary,
    find_lines,
    find_paragraphs,
    find_sentences,
)
from qwen_tts_api.service.text.stable_text import StableText, StatedPause, word, word_all
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN, Wording

MAX_HELD_LETTERS = 1000
"""Text for which an open mark is waited for: emphasis that is longer is a stray asterisk."""

MAX_HELD_WORDS = 40
"""Words at the end of what there is that may still be worded otherwise."""

LONG_LINE_CHARS = 200
"""Of a line that nobody wrapped: wherever a sentence of it ends, the text may be divided."""

LONG_PARAGRAPH_CHARS = 500
"""Of a verse or a list without a blank line: it may be divided where a line of it ends."""

_MAY_END = compile_pattern(r"[。！？｡．.!?…\n]")
_SPACE = compile_pattern(r"\s")
_SPOKEN = compile_pattern(r"[\p{L}\p{N}]")
_LINE_END = compile_pattern(r"[^\S\n]*+\n")
_BLANK_LINE = compile_pattern(r"\n[^\S\n]*\n\s*")
_WIDE_END = compile_pattern(r"(?r)[。！？｡][」』）》〉】〕”’]*$")
_OPENING = compile_pattern(r"[「『（《〈【〔“‘]")
_CLOSING = compile_pattern(r"[」』）》〉】〕”’]")
_SSML = compile_pattern(r"\s*+<(?:\?xml|speak)")


class IncrementalText:
    """A text in pieces, of which whole sentences are taken.

    Args:
        max_letters: A sentence that is longer, as `segments.measure` counts, is divided.
        normalize: Whether markup and the like are taken out.
        wording: How it is put into words, which is done where no word depends on what follows.
        marks: What counts as the mark of a pause.
    """

    def __init__(
        self,
        max_letters: int,
        *,
        normalize: bool,
        wording: Wording = AS_WRITTEN,
        marks: MarkKinds = NO_MARKS,
    ) -> None:
        self._max_letters = max_letters
        self._normalize = normalize
        self._wording = wording
        self._marks = ArrivingMarks(marks)
        self._start = 0  # of `_raw` in the whole text
        self._raw = ""
        self._num_taken = 0  # characters without white space of `_raw`, normalized
        self._end_taken = 0  # where those end in `_raw`
        self._lead = ""  # white space between what was dropped and `_raw`
        self._num_seen = 0  # of `_raw`, when sentences were looked for last
        self._num_worded = 0  # and words

    @property
    def num_pending(self) -> int:
        """How many characters were appended and not taken."""
        return len(self._raw) - self._end_taken + self._marks.num_held

    def append(self, text: str) -> None:
        """Append the next piece, which may end anywhere.

        Raises:
            InvalidRequest: It has a mark of a pause that is not understood, or too many of them.
                Nothing was taken.
        """
        self._raw += self._marks.read(text)

    def end(self) -> None:
        """End the text: an incomplete mark at its end is text."""
        self._raw += self._marks.release()

    def clear(self) -> None:
        """Discard what was not taken."""
        self.end()
        self._drop(len(self._raw), " ")

    def take_words(self) -> list[StableText]:
        """Return the words that are whole, of sentences that may not be."""
        begin, self._num_worded = self._num_worded, len(self._raw)
        if not (_SPACE.search(self._raw, begin) and _SPOKEN.search(self._raw, self._end_taken)):
            return []  # a word ends with white space
        full = self._normalized(self._raw)
        begin, stable = self._position(full), self._stable_end(full)
        if sign := self._marks.find(full, begin):
            stable = min(stable, sign[0])
        end = self._words_end(full[:stable], begin)
        if end <= begin:
            return []
        words = self._take_one(full, begin, end, Boundary.WORD)
        self._rebase(full)
        return [word(words, self._wording)]

    def _words_end(self, text: str, begin: int) -> int:
        """Return where the last word ends that is whole, and worded whatever follows."""
        end = len(text)
        for _ in range(MAX_HELD_WORDS):
            space = max(text.rfind(" ", begin, end), text.rfind("\n", begin, end))
            end = len(text[: max(space, 0)].rstrip())
            if end <= begin or self._wording.can_cut(text, end):
                break
        return end if self._wording.can_cut(text, end) else begin

    def take(self, *, final: bool) -> list[StableText | StatedPause]:
        """Return the sentences that are whole, and pauses between them.

        With `final` also the rest, as nothing follows.
        """
        if not (final or self._may_have_changed()):
            return []
        full = self._normalized(self._raw)
        begin = self._position(full)
        if not (
            self._marks.find(full, begin)
            or any(self._boundaries(full, final=final))
            or measure(full[begin:]) > self._max_letters
        ):
            return []
        stable = len(full) if final else self._stable_end(full)
        taken = list(self._take_pauses(full, stable))
        taken += self._take_sentences(full, stable, final=final)
        if final:
            self._drop(len(self._raw), " ")
        elif taken:
            self._rebase(full)
        return taken

    def _take_sentences(self, full: str, stable: int, *, final: bool) -> Iterator[StableText]:
        ends = dict(self._boundaries(full, final=final))
        texts = self._divide(full, stable, ends)
        yield from word_all(texts, self._wording, self._max_letters)

    def _take_pauses(self, full: str, stable: int) -> Iterator[StableText | StatedPause]:
        """Yield what is before each pause, and that: nothing of either depends on what follows."""
        while (sign := self._marks.find(full, self._position(full))) and sign[1] <= stable:
            start, end, seconds = sign
            before = full[:start].rstrip()
            yield from self._take_sentences(before, len(before), final=True)
            mark = self._take_one(full, start, end, Boundary.WORD)
            yield StatedPause(seconds, mark.end + 1)  # a sign ends with a space

    def _may_have_changed(self) -> bool:
        """Return whether a sentence may have become whole, which it does not inside of a word."""
        begin, self._num_seen = max(self._num_seen - 1, 0), len(self._raw)
        if self._raw[begin:].isalnum() and self.num_pending <= self._max_letters:
            return False
        is_long = self.num_pending > self._max_letters
        has_sign = self._raw.find(SIGN, self._end_taken) >= 0
        rest = self._raw[self._end_taken :].lstrip()
        may_end = has_sign or _MAY_END.search(rest) is not None
        return is_long or may_end

    def _normalized(self, raw: str) -> str:
        return normalize_text(raw).text if self._normalize else raw.strip()

    def _position(self, full: str) -> int:
        return skip(full, self._num_taken)

    def _stable_end(self, full: str) -> int:
        """Return up to where the normalized text stays as it is."""
        if not self._normalize:
            return len(full)
        words = squash(full)
        stable = len(words)
        is_held = len(words) - self._num_taken > MAX_HELD_LETTERS
        for closer in closers(self._raw, blocks_only=is_held):
            other = squash(self._normalized(self._raw + closer))
            stable = min(stable, common(words, other, stable))
        return skip(full, stable)

    def _divide(self, full: str, stable: int, ends: Mapping[int, Boundary]) -> Iterator[StableText]:
        """Yield the sentences up to `stable`, and what is too long for a segment, divided."""
        begin = self._position(full)
        sure = [
            end
            for end in sorted(ends)
            # What follows is stable, or of no account: nothing, or another line.
            if end < stable or (end == stable and full[end : end + 1] in ("", "\n"))
        ]
        for end in [*sure, None]:
            span = full[begin : stable if end is None else end]
            if span.strip() and measure(span) > self._max_letters:
                middle = begin
                for segment in split(span, self._max_letters)[:-1]:
                    middle = full.index(segment.text, middle) + len(segment.text)
                    if self._wording.can_cut(full[:stable], middle):
                        yield self._take_one(full, begin, middle, segment.boundary)
                        begin = middle
            if end is not None:
                yield self._take_one(full, begin, end, ends[end])
                begin = end

    def _take_one(self, full: str, begin: int, end: int, boundary: Boundary) -> StableText:
        first, text = self._end_taken, full[begin:end]
        if self._num_taken == 0:
            text = self._lead + text
        self._end_taken = align(self._raw, first, full[begin:end])
        self._num_taken += num_visible(full[begin:end])
        source, same = self._raw[first : self._end_taken], Alignment.same(len(text))
        start, end = self._start + first, self._start + self._end_taken
        return StableText(text, start, end, boundary, source, text, same)

    def _boundaries(self, full: str, *, final: bool) -> Iterator[tuple[int, Boundary]]:
        """Yield the ends of sentences, lines and paragraphs, the best kind last.

        What follows tells whether it is one; nothing follows a paragraph, nor some marks.
        """
        begin = self._position(full)
        kinds: list[tuple[Callable[[str], Iterator[int]], Boundary]] = [
            (find_lines, Boundary.LINE),
            (find_sentences, Boundary.SENTENCE),
            (find_paragraphs, Boundary.PARAGRAPH),
        ]
        for find, boundary in kinds:
            for end in find(full):
                end = len(full[:end].rstrip())
                if begin < end < len(full) or (begin < end and _closes_at_once(full[begin:end])):
                    yield end, boundary
        if begin < len(full) and (final or self._ends_paragraph()):
            yield len(full), Boundary.PARAGRAPH

    def _ends_paragraph(self) -> bool:
        return self._raw[len(self._raw.rstrip()) :].count("\n") > 1

    def _rebase(self, full: str) -> None:
        """Forget the beginning of the text, where what follows is normalized alike without it."""
        if _SSML.match(self._raw):
            return
        for line in reversed(list(_BLANK_LINE.finditer(self._raw))):
            if self._is_apart(full, line.end()):
                self._drop(line.end(), "\n\n")
                return
        ended = _LINE_END.match(self._raw, self._end_taken)
        if ended and self._end_taken > LONG_PARAGRAPH_CHARS:
            if self._is_apart(full, ended.end()):
                self._drop(ended.end(), "\n")
            return
        line_start = self._raw.rfind("\n", 0, self._end_taken) + 1
        if self._end_taken - line_start > LONG_LINE_CHARS and self._is_apart(full, self._end_taken):
            position = self._position(full)
            self._drop(self._end_taken, " " if full[position : position + 1].isspace() else "")

    def _is_apart(self, full: str, end: int) -> bool:
        """Return whether the text before `end` has been taken, and what is behind stands alone."""
        before = squash(self._normalized(self._raw[:end]))
        if len(before) != self._num_taken:
            return False
        rest = self._raw[end:]
        possible = ["", *closers(self._raw[:end], blocks_only=True)]
        return all(
            squash(self._normalized(self._raw + closer))
            == before + squash(self._normalized(rest + closer))
            for closer in possible
        ) and (len(possible) == 1 or self._goes_on(before, end))

    def _goes_on(self, before: str, end: int) -> bool:
        return squash(self._normalized(self._raw[:end] + "x")) == before + "x"

    def _drop(self, end: int, lead: str) -> None:
        if end:
            self._lead = lead if self._start + end else ""
        self._start += end
        self._raw = self._raw[end:]
        self._num_taken = self._end_taken = self._num_seen = self._num_worded = 0


def _closes_at_once(sentence: str) -> bool:
    """Whether nothing has to follow: behind 。 and the like, if no quotation or bracket is open."""
    if not _WIDE_END.search(sentence):
        return False
    return len(_OPENING.findall(sentence)) <= len(_CLOSING.findall(sentence))
