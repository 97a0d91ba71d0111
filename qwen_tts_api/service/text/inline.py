"""Take Markdown's marks out of a paragraph: emphasis, links, code, escapes."""

from __future__ import annotations

from collections import Counter

import regex

from qwen_tts_api.service.text.pieces import Replacement, substitute


def strip_inline(text: str, labels: frozenset[str], changes: Counter[str]) -> str:
    """Return a paragraph without its marks.

    Args:
        text: Of one paragraph.
        labels: Those that the text tells the targets of, in small letters.
        changes: How many marks were taken out; is added to.
    """
    if not any(mark in text for mark in "*_`[~<\\"):
        return text
    text = _apply(_LINKS, text, changes)
    text, _ = substitute(_REFERENCE, lambda match: _reference(match, labels, changes), text)
    return _apply(_OTHERS, text, changes)


_Rules = list[tuple[regex.Pattern[str], Replacement]]


def _apply(rules: _Rules, text: str, changes: Counter[str]) -> str:
    for pattern, replacement in rules:
        text, num = substitute(pattern, replacement, text)
        changes["markup"] += num
    return text


def _reference(match: regex.Match[str], labels: frozenset[str], changes: Counter[str]) -> str:
    """Return the text of a link by its label; what is only in brackets stays."""
    label = " ".join((match["label"] or match["text"]).split()).casefold()
    named = match["label"] and any(char.isalpha() for char in match["text"])
    if not named and label not in labels:
        return match[0]
    changes["markup"] += 1
    return match["text"]


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)


# A letter of a script that puts spaces between words: beside one, `*` and `[` are no markup.
_WORD = r"[\w--[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]]"
_URL = r"(?:https?://|www\.)[^\s<>\"*)\]`]++(*SKIP)(*FAIL)"

_LINK = _compile(
    rf"(?<!{_WORD})!?\[([^\[\]\u2028]*+)\]"
    r"\((?:<[^<>\n]*+>|(?:[^()\s]++|\([^()\s]*+\))*+)"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'))?+\s*+\)"
)
_LINKS: _Rules = [
    (_compile(rf"(?<!{_WORD}|`)(`{{1,3}})(?!`)([^`\u2028]++)\1(?!{_WORD}|`)"), r"\2"),
    (_compile(r"\[\^[^\[\]\s]{1,100}+\]"), ""),  # a footnote's number
    (_LINK, r"\1"),
    (_LINK, r"\1"),  # once more for an image in a link
]
_REFERENCE = _compile(
    rf"(?<!{_WORD}|\])!?\[(?P<text>[^\[\]]++)\](?![(:])(?:[ ]?\[(?P<label>[^\[\]]*+)\])?+"
)
_EMPHASIS = _compile(
    rf"{_URL}|(?<!{_WORD}|[*\\])(\*{{1,3}})(?![\s*])([^*\u2028]++)(?<![\s\\])\1(?!{_WORD}|\*)"
)
_OTHERS: _Rules = [
    (_compile(r"<(https?://[^\s<>]++)>"), r"\1"),
    (_compile(r"<(?:mailto:)?([\w.+-]++@[\w.-]++)>"), r"\1"),
    (_EMPHASIS, r"\2"),
    (_EMPHASIS, r"\2"),  # once more for what was inside another
    (
        _compile(rf"{_URL}|(?<!\w)(_{{1,3}})(?![\s_])([^_\u2028]++)(?<!\s)\1(?!\w)"),
        r"\2",
    ),
    (_compile(r"~~(?![\s~])([^~\u2028]++)(?<!\s)~~"), r"\1"),
    (
        _compile(r"\\([*_#`\[\]])|(?<![\w:\\\p{P}])\\([[\p{P}$+<=>^|~]--\\])|(?<=\d)\\([.)])"),
        r"\1\2\3",
    ),
    (_compile(r"\\(?=\n)"), ""),  # a line end that is meant
]
