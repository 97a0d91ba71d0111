"""Cuts text that arrives into sentences or clauses, by the rules of vLLM-Omni's splitter.

Source: vllm-omni 0.30.0, speech_text_splitter.py. `.!?` close a unit only before white space or the
flush, not in a number or behind an abbreviation; the marks of other scripts close it at once.
"""

from __future__ import annotations

import re

NONE, SENTENCE, CLAUSE = "none", "sentence", "clause"

_CLOSING = "\"'”’»)\\]}」』）】》"
_ANYWHERE = "。！？｡।॥؟۔…"
_ANYWHERE_CLAUSE = "，、；،؛"
_SENTENCE_END = re.compile(rf"[.!?]+[{_CLOSING}]*(?=\s)|[{_ANYWHERE}]+[{_CLOSING}]*")
_CLAUSE_END = re.compile(
    rf"(?:[.!?]+|(?<!\d)[,;]|[,;](?!\d))[{_CLOSING}]*(?=\s)"
    rf"|[{_ANYWHERE}{_ANYWHERE_CLAUSE}]+[{_CLOSING}]*"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|Sr|Jr|St|Mt|Fig|No|vs|etc|approx|dept|inc|ltd|co|al"
    r"|e\.g|i\.e|U\.S|U\.K|a\.m|p\.m))\.$",
    re.IGNORECASE,
)
_INITIAL = re.compile(r"\b[A-Z]\.$")


class UnitSplitter:
    """Gives away each unit as soon as it is whole.

    Args:
        granularity: NONE, SENTENCE or CLAUSE.
    """

    def __init__(self, granularity: str) -> None:
        self._end = {SENTENCE: _SENTENCE_END, CLAUSE: _CLAUSE_END}.get(granularity)
        self._text = ""
        self._seen = 0

    @property
    def num_characters(self) -> int:
        """Return how many characters wait for the end of their unit."""
        return len(self._text)

    def append(self, text: str) -> list[str]:
        """Add text; return the units that it completes."""
        self._text += text
        units = []
        while self._end is not None and (end := self._find()) is not None:
            units.append(self._text[:end])
            self._text, self._seen = self._text[end:], 0
        return [unit for unit in units if unit.strip()]

    def flush(self) -> str:
        """Return the rest, whole or not; blank where there is none."""
        text, self._text, self._seen = self._text, "", 0
        return text

    def _find(self) -> int | None:
        """Return where the first unit ends."""
        assert self._end is not None
        for mark in self._end.finditer(self._text, self._seen):
            if not self._is_abbreviation(mark):
                return mark.end()
        # Marks may go on, and a closing quote may follow.
        self._seen = max(0, len(self._text) - 16)
        return None

    def _is_abbreviation(self, mark: re.Match[str]) -> bool:
        if mark[0] != ".":
            return False
        before = self._text[max(0, mark.end() - 12) : mark.end()]
        found = _ABBREVIATION.search(before)
        # Of one letter only a capital one is an initial: "plan b. Then".
        return found is not None and (len(found[0]) > 2 or _INITIAL.search(before) is not None)
