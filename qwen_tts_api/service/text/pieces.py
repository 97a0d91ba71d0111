"""Work on texts of any length in pieces, so that no call of a library holds the GIL for long.

`re`, `regex` and `unicodedata` let no other thread run before they return, and a text may have a
million characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

PIECE = 4096
"""Characters that a pattern sees at a time: at most 1 ms for those in use."""

Replacement = str | Callable[["regex.Match[str]"], str]

# What is one character with the one before it, or with the one behind.
_JOINED = regex.compile(
    r"[\p{M}\p{Emoji_Modifier}\p{Regional_Indicator}\u200D\u1100-\u11FF\U000E0020-\U000E007F]"
)
_LOOK_BACK = 64


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Yield a text piece by piece, cut behind a line, a sentence or a word where there is one."""
    start = 0
    while len(text) - start > size:
        end = _end(text, start, start + size)
        yield text[start:end]
        start = end
    yield text[start:]


def _end(text: str, start: int, limit: int) -> int:
    for separator in ("\n", ". ", " "):
        found = text.rfind(separator, start, limit)
        if found >= 0:
            return found + len(separator)
    for end in range(limit, limit - _LOOK_BACK, -1):
        if not _JOINED.search(text, end - 1, end + 1) and text[end - 1] != "\\":
            return end
    return limit


def substitute(pattern: regex.Pattern[str], replacement: Replacement, text: str) -> tuple[str, int]:
    """Return a text with a pattern's matches replaced, and how many there were.

    What is longer than a piece is not matched as a whole.
    """
    parts, total = [], 0
    for piece in pieces(text):
        part, num = pattern.subn(replacement, piece)
        parts.append(part)
        total += num
    return "".join(parts), total


def match_at(text: str, first: str, pattern: regex.Pattern[str]) -> Iterator[regex.Match[str]]:
    """Yield the matches of a pattern of up to PIECE characters that all begin with `first`."""
    position = text.find(first)
    while position >= 0:
        match = pattern.match(text, position, position + PIECE)
        if match:
            yield match
        position = text.find(first, match.end() if match else position + 1)


def lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, without their ends."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]
