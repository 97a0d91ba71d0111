"""Normalize a text's characters: Unicode NFC, ligatures, invisible characters, spaces, line ends.

Texts copied from PDFs, e-books and word processors have ligatures, soft hyphens, and private-use or
control characters in their place.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

import regex

from qwen_tts_api.service.text.patterns import Replacement, compile_pattern, substitute, windows

Rule = tuple[str, regex.Pattern[str], Replacement]
"""The kind of change, as `normalize.KINDS` has it; what is replaced; and by what."""


def clean_characters(text: str, changes: Counter[str]) -> str:
    """Compose characters (NFC), replace ligatures and unusual spaces, remove invisible characters.

    Joiners, variation selectors and tags stay, since emoji are recognized by them.

    Args:
        text: Of any length.
        changes: Number of changes by kind; is added to.
    """
    text = apply_rules(_BEFORE_NFC, text, changes)
    return apply_rules(_AFTER_NFC, _normalize_nfc(text, changes), changes)


def remove_invisible(text: str, changes: Counter[str]) -> str:
    """Remove every invisible character: those of HTML entities, and the rests of emoji, too."""
    return apply_rules(_INVISIBLE_RULES, text, changes)


def apply_rules(rules: list[Rule], text: str, changes: Counter[str]) -> str:
    """Apply rules in order, and count the replacements of each under its kind."""
    for kind, pattern, replacement in rules:
        text, num = substitute(pattern, replacement, text)
        changes[kind] += num
    return text


def _normalize_nfc(text: str, changes: Counter[str]) -> str:
    composed = []
    for window in windows(text):
        composed.append(unicodedata.normalize("NFC", window))
        changes["unicode"] += composed[-1] != window
    return "".join(composed)


def _nfkc(match: regex.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


def _decode_windows_1252(match: regex.Match[str]) -> str:
    return match[0].encode("latin-1").decode("cp1252", "ignore")


# Parts of emoji sequences: joiners, variation selectors, tags.
_EMOJI_PARTS = r"\u200D\uFE0E\uFE0F\U000E0020-\U000E007F"
_INVISIBLE = r"\p{Cc}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\uFFF9-\uFFFD"
_LINE_ENDS = r"\n\r\t\v\f\x85"
# Hyphens that are visible at line ends only: U+FFFE and U+0002 in text from PDFs, U+001F from Word.
_SOFT_HYPHEN = r"[\u00AD\uFFFE\x02\x1F]"

_LINE_END_RULES: list[Rule] = [
    ("spaces", compile_pattern(r"\u2029"), "\n\n"),
    ("spaces", compile_pattern(r"\r\n|[\r\v\f\x85\u2028]"), "\n"),
    ("spaces", compile_pattern(r"[\s--[\n \u3000]]"), " "),
]
_BEFORE_NFC: list[Rule] = [
    # The limit of Unicode's Stream-Safe Text Format (UAX #15): NFC takes time by the square of the
    # number of marks.
    ("repeats", compile_pattern(r"(\p{M}{30})\p{M}++"), r"\1"),
    (
        "invisible",
        compile_pattern(r"\x1b\[[0-9;]*+[A-Za-z]|\x1b\][^\x07\x1b\n]*+(?:\x07|\x1b\\)"),
        "",
    ),
    ("unicode", compile_pattern(r"[\x80-\x84\x86-\x9F]"), _decode_windows_1252),
]
_AFTER_NFC: list[Rule] = [
    # Ligatures, presentation forms, the long s, Kangxi radicals, mathematical bold and italic
    # letters; not fullwidth and halfwidth forms.
    (
        "unicode",
        compile_pattern(
            r"[\uFB00-\uFB17\uFB20-\uFB4F\uFB50-\uFDCF\uFE70-\uFEFC\u2F00-\u2FD5\u017F\u0132\u0133"
            r"\u0149\u01C4-\u01CC\u01F1-\u01F3\U0001D400-\U0001D7FF]++"
        ),
        _nfkc,
    ),
    # Word's bullets (in the font Symbol), end of a table cell, non-breaking hyphen.
    ("invisible", compile_pattern(r"[\uF0B7\uF0A7\uF0D8\uF0FC\uF076](?=\s)"), "•"),
    ("invisible", compile_pattern(r"\x07"), "\n"),
    ("invisible", compile_pattern(r"\x1E"), "-"),
    # A page break inside a sentence, with the page number.
    (
        "lines",
        compile_pattern(r"(?<![ \r\n\f])(?:[ \r\n]*\n[ ]*\d{1,4})?[ \r\n]*\f\s*+(?=\p{Ll})"),
        lambda end: "\n" if end.string[end.start() - 1 : end.start()] == "-" else " ",
    ),
    *_LINE_END_RULES,
    ("lines", compile_pattern(r"(?<=\p{L}-)[ ]*+\n\s*\n\s*+(?=\p{Ll})"), "\n"),
    # A soft hyphen beside a line end: one word.
    (
        "lines",
        compile_pattern(
            rf"(?<=[\p{{L}}\p{{M}}])(?:{_SOFT_HYPHEN}++(?:[ ]*+\n\s*+|[ ](?=\p{{Ll}}))"
            rf"|[ ]*+\n\s*+{_SOFT_HYPHEN}++\s*+)(?=\p{{L}})"
        ),
        "",
    ),
    ("invisible", compile_pattern(rf"[[{_INVISIBLE}]--[{_LINE_ENDS}{_EMOJI_PARTS}]]++"), ""),
]
_INVISIBLE_RULES: list[Rule] = [
    *_LINE_END_RULES,
    ("invisible", compile_pattern(rf"[[{_INVISIBLE}]--[{_LINE_ENDS}]]++"), ""),
]
