"""How names of speakers, voices, languages and aliases are compared."""

from __future__ import annotations

import unicodedata

MAX_COMPOSED_CHARS = 400
"""A longer name is nobody's, and composing it may take the square of its length."""


def fold(name: str) -> str:
    """Return what the spellings of one name have in common, whatever case and code of accents.

    >>> fold(" Uncle_Fu ")
    'uncle_fu'
    """
    name = name.strip()
    if len(name) > MAX_COMPOSED_CHARS:
        return name.casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
