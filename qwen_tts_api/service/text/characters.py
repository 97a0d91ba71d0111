"""Make a text's characters those that a reader would see: composed, visible, with usual spaces.

Texts out of PDFs, books and word processors have ligatures, hyphens that are only seen at the end
of a line, and signs of their own for them.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

import regex

from qwen_tts_api.service.text.pieces import Replacement, pieces, substitute

Rule = tuple[str, regex.Pattern[str], Replacement]


def clean_characters(text: str, changes: Counter[str]) -> str:
    """Return a text without what cannot be seen, but for what emoji are made with.

    Args:
        text: Of any length.
        changes: How often something was taken out or replaced, by kind; is added to.
    """
    text = apply(_BEFORE_COMPOSING, text, changes)
    return apply(_AFTER_COMPOSING, _compose(text, changes), changes)


def clean_rest(text: str, changes: Counter[str]) -> str:
    """Return a text without what entities stood for, and without what emoji were made with."""
    return apply(_REST, text, changes)


def apply(rules: list[Rule], text: str, changes: Counter[str]) -> str:
    """Return a text with a rule after the other applied, each counted by its kind."""
    for kind, pattern, replacement in rules:
        text, num = substitute(pattern, replacement, text)
        changes[kind] += num
    return text


def _compose(text: str, changes: Counter[str]) -> str:
    composed = []
    for piece in pieces(text):
        composed.append(unicodedata.normalize("NFC", piece))
        changes["unicode"] += composed[-1] != piece
    return "".join(composed)


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)  # has sets such as [\w--\d]


def _plain_form(match: regex.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


def _windows_form(match: regex.Match[str]) -> str:
    return match[0].encode("latin-1").decode("cp1252", "ignore")


# What emoji are made with: joiners, variation selectors and tags.
_OF_EMOJI = r"\u200D\uFE0E\uFE0F\U000E0020-\U000E007F"
_INVISIBLE = r"\p{Cc}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\uFFF9-\uFFFD"
_LINE_ENDS = r"\n\r\t\v\f\x85"
# How hyphens are written that are seen at line ends only: U+FFFE and U+0002 in texts out of PDFs,
# U+001F in those of Word.
_SOFT_HYPHEN = r"[\u00AD\uFFFE\x02\x1F]"

_LINE_END_RULES: list[Rule] = [
    ("spaces", _compile(r"\u2029"), "\n\n"),
    ("spaces", _compile(r"\r\n|[\r\v\f\x85\u2028]"), "\n"),
    ("spaces", _compile(r"[\s--[\n \u3000]]"), " "),
]
_BEFORE_COMPOSING: list[Rule] = [
    # As many marks as the Unicode standard's Stream-Safe Text Format has: with more, composing
    # takes time by the square of their number.
    ("repeats", _compile(r"(\p{M}{30})\p{M}++"), r"\1"),
    ("invisible", _compile(r"\x1b\[[0-9;]*+[A-Za-z]|\x1b\][^\x07\x1b\n]*+(?:\x07|\x1b\\)"), ""),
    ("unicode", _compile(r"[\x80-\x84\x86-\x9F]"), _windows_form),
]
_AFTER_COMPOSING: list[Rule] = [
    # Ligatures, contextual forms, the old long s, radicals that stand for characters, and letters
    # that are bold or italic by themselves; not wide or narrow ones.
    (
        "unicode",
        _compile(
            r"[\uFB00-\uFB17\uFB20-\uFB4F\uFB50-\uFDCF\uFE70-\uFEFC\u2F00-\u2FD5\u017F\u0132\u0133"
            r"\u0149\u01C4-\u01CC\u01F1-\u01F3\U0001D400-\U0001D7FF]++"
        ),
        _plain_form,
    ),
    # Word's signs for bullets (in the font Symbol), for the end of a table's cell, for a hyphen.
    ("invisible", _compile(r"[\uF0B7\uF0A7\uF0D8\uF0FC\uF076](?=\s)"), "•"),
    ("invisible", _compile(r"\x07"), "\n"),
    ("invisible", _compile(r"\x1E"), "-"),
    # The end of a page, with its number, inside a sentence.
    (
        "lines",
        _compile(r"(?<![ \r\n\f])(?:[ \r\n]*\n[ ]*\d{1,4})?[ \r\n]*\f\s*+(?=\p{Ll})"),
        lambda end: "\n" if end.string[end.start() - 1 : end.start()] == "-" else " ",
    ),
    *_LINE_END_RULES,
    ("lines", _compile(r"(?<=\p{L}-)[ ]*+\n\s*\n\s*+(?=\p{Ll})"), "\n"),
    # A hyphen that was seen at the end of a line, the line's end beside it: one word.
    (
        "lines",
        _compile(
            rf"(?<=[\p{{L}}\p{{M}}])(?:{_SOFT_HYPHEN}++(?:[ ]*+\n\s*+|[ ](?=\p{{Ll}}))"
            rf"|[ ]*+\n\s*+{_SOFT_HYPHEN}++\s*+)(?=\p{{L}})"
        ),
        "",
    ),
    ("invisible", _compile(rf"[[{_INVISIBLE}]--[{_LINE_ENDS}{_OF_EMOJI}]]++"), ""),
]
_REST: list[Rule] = [
    *_LINE_END_RULES,
    ("invisible", _compile(rf"[[{_INVISIBLE}]--[{_LINE_ENDS}]]++"), ""),
]
