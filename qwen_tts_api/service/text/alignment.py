"""Compare a text with what normalizing makes of it: white space, which may change, apart."""

from __future__ import annotations


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
    position = start
    for char in normalized:
        if char.isspace():
            continue
        found = raw.find(char, position, position + 200)
        position = found + 1 if found >= 0 else position
    return position
