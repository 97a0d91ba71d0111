"""Spell a text in the letters a to z, for a model that reads nothing else.

Accents are dropped, and letters that stand alone are written as their names sound: the model makes
as much sound of a letter as of any other, so that `F B I` would be three clicks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import regex

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.edits import Edit, apply, find_edits

NAMES = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "ay bee see dee ee ef jee aitch eye jay kay el em en oh pee cue are ess tee you vee"
        " w ex why zee".split(),
        strict=True,
    )
)
NAMES["W"] = "double you"

# Letters that Unicode does not decompose into a plain one and a mark.
_PLAIN = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L",
    "ı": "i", "ŋ": "ng", "ħ": "h", "Ħ": "H", "‘": "'", "’": "'", "ʼ": "'", "_": " ",
}  # fmt: skip
_TO_PLAIN = str.maketrans(_PLAIN)

_ALONE = compile_pattern(
    r"(?<![\p{L}\p{M}'’])(?:(?P<run>[A-Z](?: [A-Z])+)|(?P<one>[B-HJ-Zb-hj-z]))"
    r"(?![\p{L}\p{M}])(?!['’](?!s(?!\p{L})))(?P<stop>\.(?= \p{Lu}))?"
)
_GREEK = compile_pattern(r"(?<![\p{L}\p{M}])\p{Greek}(?![\p{L}\p{M}])")
_ACCENTED = compile_pattern(r"[[\p{Latin}\p{M}_‘’ʼ]--[A-Za-z]]++")
_UNREADABLE = compile_pattern(r"[[\p{L}\p{M}\p{N}]--[A-Za-z]]++")
_READABLE = re.compile("[A-Za-z]")


def spell(text: str) -> Iterator[list[Edit]]:
    """Yield the edits, one step after the other, that leave no other letters than a to z.

    Args:
        text: Verbalized.
    """
    for kind, pattern, replacement in _RULES:
        edits = find_edits(text, pattern, replacement, kind)
        if edits:
            yield edits
            text = apply(text, edits)


def is_readable(text: str) -> bool:
    """Return whether a text has one of the letters a to z."""
    return _READABLE.search(text) is not None


def _name_letters(match: regex.Match[str]) -> str:
    written = match["run"] or match["one"]
    return " ".join(NAMES[letter.upper()] for letter in written.split())


def _name_greek(match: regex.Match[str]) -> str:
    name = unicodedata.name(match[0], "").removesuffix(" SYMBOL").split(" WITH ")[0]
    return name.rpartition(" ")[2].lower()


def _fold(match: regex.Match[str]) -> str:
    decomposed = unicodedata.normalize("NFKD", match[0].translate(_TO_PLAIN))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


_RULES: list[tuple[str, regex.Pattern[str], Callable[[regex.Match[str]], str]]] = [
    ("letters", _GREEK, _name_greek),
    ("letters", _ACCENTED, _fold),
    ("abbreviations", _ALONE, _name_letters),
    ("unreadable", _UNREADABLE, lambda _: " "),
]
