"""Compare a text with what normalizing makes of it: white space, which may change, apart."""

from __future__ import annotations

import unicodedata

from qwen_tts_api.service.text.patterns import compile_pattern

MAX_REMOVED_CHARS = 200
"""How far `align` looks for a character, behind what was removed before it: markup, say."""

_CLUSTER = compile_pattern(r"\s*+(\S\p{M}*+)")


def squash(text: str) -> str:
    """Return a text without white space."""
    return "".join(text.split())


def num_visible(text: str) -> int:
    """Return how many characters are no white space."""
    return len(squash(text))


def skip(text: str, count: int) -> int:
    """Return the offset behind so many characters that are no white space."""
    for position, char in enumerate(text):
        if not count:
            return position
        count -= not char.isspace()
    return len(text)


def common(text: str, other: str, limit: int) -> int:
    """Return the length of the common prefix, at most `limit`."""
    if other.startswith(text[:limit]):
        return limit
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[:middle] == other[:middle] else (low, middle - 1)
    return low


def align(raw: str, start: int, normalized: str) -> int:
    """Return where a normalized text ends in the one that it was made of, from `start` on."""
    words, position, index = squash(normalized), start, 0
    while index < len(words):
        if raw.startswith(words[index], position):
            position, index = position + 1, index + 1
            continue
        # A ligature, or a letter whose accent is a character of its own: searching for the letters
        # that it has become would find them further on, in another word.
        cluster = _CLUSTER.match(raw, position)
        composed = unicodedata.normalize("NFKC", cluster[1]) if cluster else ""
        if cluster and composed != cluster[1] and words.startswith(composed, index):
            position, index = cluster.end(), index + len(composed)
            continue
        found = raw.find(words[index], position, position + MAX_REMOVED_CHARS)
        position, index = found + 1 if found >= 0 else position, index + 1
    return position
