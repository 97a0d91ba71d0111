"""Compare names without case; quote values and list names in messages, truncated."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_COMPOSED_CHARS = 400
"""Longer names are not normalized: NFC may take time by the square of the length."""

MAX_SHOWN_CHARS = 80
MAX_LISTED = 50


def fold(name: str) -> str:
    """Normalize a name for comparison: strip, casefold, and compose accents (NFC).

    >>> fold(" Uncle_Fu ")
    'uncle_fu'
    """
    name = name.strip()
    if name.isascii():
        return name.lower()
    if len(name) > MAX_COMPOSED_CHARS:
        return name.casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shown(value: object) -> str:
    """Return the `repr` of a client's value, truncated to MAX_SHOWN_CHARS.

    >>> shown("Bob"), len(shown("a" * 1_000_000))
    ("'Bob'", 83)
    """
    if isinstance(value, str) and len(value) > MAX_SHOWN_CHARS:
        return f"{value[:MAX_SHOWN_CHARS]!r}…"
    return repr(value)


def listed(names: Iterable[str]) -> str:
    """Return names joined by commas, the first MAX_LISTED of them; `none` if there are none.

    >>> listed(["Ryan", "Serena"])
    'Ryan, Serena'
    """
    names = list(names)
    more = len(names) - MAX_LISTED
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*names[:MAX_LISTED], *rest]) or "none"
