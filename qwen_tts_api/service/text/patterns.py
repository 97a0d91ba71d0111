"""Compile regular expressions, and apply them to texts of any length window by window.

`re`, `regex` and `unicodedata` hold the GIL for the whole call, and a text may have a million
characters: in windows of WINDOW_CHARS, no call stops the other threads for longer than 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

WINDOW_CHARS = 4096
"""Characters that a pattern is applied to at a time."""

Replacement = str | Callable[["regex.Match[str]"], str]

# How far before a window's limit a boundary between characters is looked for.
_MAX_BACKTRACK_CHARS = 64


def compile_pattern(pattern: str, flags: int = 0) -> regex.Pattern[str]:
    r"""Compile a pattern in `regex`'s version 1, which has set operations such as `[\w--\d]`."""
    return regex.compile(pattern, regex.VERSION1 | flags)


# Belongs to the character before it, or to the one behind: marks, emoji sequences, conjoining jamo.
_COMBINING = compile_pattern(
    r"[\p{M}\p{Emoji_Modifier}\p{Regional_Indicator}\u200D\u1100-\u11FF\U000E0020-\U000E007F]"
)


def windows(text: str) -> Iterator[str]:
    """Yield consecutive windows of a text, each of up to WINDOW_CHARS characters.

    A window ends behind a line, a sentence or a word where it has one, else between two characters.
    """
    start = 0
    while len(text) - start > WINDOW_CHARS:
        end = _find_window_end(text, start, start + WINDOW_CHARS)
        yield text[start:end]
        start = end
    yield text[start:]


def _find_window_end(text: str, start: int, limit: int) -> int:
    for separator in ("\n", ". ", " "):
        found = text.rfind(separator, start, limit)
        if found >= 0:
            return found + len(separator)
    for end in range(limit, limit - _MAX_BACKTRACK_CHARS, -1):
        if not _COMBINING.search(text, end - 1, end + 1) and text[end - 1] != "\\":
            return end
    return limit


def substitute(pattern: regex.Pattern[str], replacement: Replacement, text: str) -> tuple[str, int]:
    """Replace a pattern's matches; return the new text and the number of replacements.

    A match cannot span two windows.
    """
    replaced, total = [], 0
    for window in windows(text):
        part, num = pattern.subn(replacement, window)
        replaced.append(part)
        total += num
    return "".join(replaced), total


def find_matches(text: str, first: str, pattern: regex.Pattern[str]) -> Iterator[regex.Match[str]]:
    """Yield the matches of a pattern, each of up to WINDOW_CHARS characters.

    Args:
        text: Of any length.
        first: The character that every match begins with.
        pattern: Tried at each `first`.
    """
    position = text.find(first)
    while position >= 0:
        match = pattern.match(text, position, position + WINDOW_CHARS)
        if match:
            yield match
        position = text.find(first, match.end() if match else position + 1)


def lines(text: str) -> Iterator[str]:
    r"""Yield the lines of a text without their line ends, which are `\n` only."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]
