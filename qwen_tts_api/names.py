"""How names are compared; how errors and the log quote and list them: never at length."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_COMPOSED_CHARS = 400
"""A longer name is nobody's, and composing it may take the square of its length."""

MAX_SHOWN_CHARS = 80
MAX_LISTED = 50


def fold(name: str) -> str:
    """Return what the spellings of one name have in common, whatever case and code of accents.

    >>> fold(" Uncle_Fu ")
    'uncle_fu'
    """
    name = name.strip()
    if len(name) > MAX_COMPOSED_CHARS:
        return name.casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shown(value: object) -> str:
    """Return a client's value as Python writes it, cut where it is long.

    >>> shown("Bob"), len(shown("a" * 1_000_000))
    ("'Bob'", 83)
    """
    if isinstance(value, str) and len(value) > MAX_SHOWN_CHARS:
        return f"{value[:MAX_SHOWN_CHARS]!r}…"
    return repr(value)


def listed(names: Iterable[str]) -> str:
    """Return what is allowed as a list, of many the first ones; `none` where there is nothing.

    >>> listed(["Ryan", "Serena"])
    'Ryan, Serena'
    """
    names = list(names)
    more = len(names) - MAX_LISTED
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*names[:MAX_LISTED], *rest]) or "none"
