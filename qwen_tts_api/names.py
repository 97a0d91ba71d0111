"""How names of speakers, voices, languages and aliases are compared."""

from __future__ import annotations

import unicodedata


def fold(name: str) -> str:
    """Return what the spellings of one name have in common, whatever case and code of accents.

    >>> fold(" Uncle_Fu ")
    'uncle_fu'
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())
