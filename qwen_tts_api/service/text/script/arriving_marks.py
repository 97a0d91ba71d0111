"""Marks of pauses in a text that arrives in pieces."""

from __future__ import annotations

from qwen_tts_api.service.text.script.marks import (
    MarkKinds,
    begins_mark,
    find_marks,
    find_sign,
)
from qwen_tts_api.service.text.script.pauses import check_pauses
from qwen_tts_api.service.text.verbalize.edits import apply


class ArrivingMarks:
    """Puts a sign in the place of each mark, which may come in pieces.

    Args:
        kinds: What counts as a mark.
    """

    def __init__(self, kinds: MarkKinds) -> None:
        self._kinds = kinds
        self._pauses_s: list[float] = []
        self._held = ""

    @property
    def num_held(self) -> int:
        """How many characters are held back, which may be the beginning of a mark."""
        return len(self._held)

    def read(self, text: str) -> str:
        """Take the next piece; return what is sure, with signs for its marks, at the same length.

        Raises:
            InvalidRequest: As of `find_marks`, or all pauses are too long. Nothing was taken.
        """
        if not self._kinds.patterns:
            return text
        text = self._held + text
        end = begins_mark(text, self._kinds)
        signs, pauses_s = find_marks(text[:end], self._kinds, len(self._pauses_s))
        check_pauses(sum(self._pauses_s) + sum(pauses_s))
        self._pauses_s += pauses_s
        self._held = text[end:]
        return apply(text[:end], signs)

    def release(self) -> str:
        """Return what is held back: no more follows, so it is text."""
        held, self._held = self._held, ""
        return held

    def find(self, text: str, start: int) -> tuple[int, int, float] | None:
        """Return where the first sign is, from and to, and how long its pause is in seconds."""
        if not self._kinds.patterns or (sign := find_sign(text, start)) is None:
            return None
        begin, end, number = sign
        return begin, end, self._pauses_s[number]
