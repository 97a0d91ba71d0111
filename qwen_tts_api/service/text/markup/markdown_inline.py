"""Strip the inline markup of Markdown: emphasis, links, images, code spans, backslash escapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import regex

from qwen_tts_api.service.text.markup.markdown_blocks import normalize_label
from qwen_tts_api.service.text.patterns import (
    Replacement,
    compile_pattern,
    find_matches,
    substitute,
)


def strip_inline(text: str, labels: frozenset[str], changes: Counter[str]) -> str:
    """Return a paragraph without inline markup.

    Args:
        text: One paragraph.
        labels: Labels of link reference definitions, normalized by `normalize_label`.
        changes: Number of marks removed; is added to.
    """
    if not any(mark in text for mark in "*_`[~<\\"):
        return text
    text = _apply(_LINKS, text, changes)
    text, _ = substitute(_REFERENCE, lambda match: _reference_text(match, labels, changes), text)
    return _apply(_OTHERS, text, changes)


def find_destinations(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of links' addresses, from behind the text that is seen to the end."""
    for link in find_matches(text, "[", _LINK):
        yield link.end(1), link.end()


_Rules = list[tuple[regex.Pattern[str], Replacement]]


def _apply(rules: _Rules, text: str, changes: Counter[str]) -> str:
    for pattern, replacement in rules:
        text, num = substitute(pattern, replacement, text)
        changes["markup"] += num
    return text


def _reference_text(match: regex.Match[str], labels: frozenset[str], changes: Counter[str]) -> str:
    """Return the text of a reference link (`[text][label]`); other text in brackets stays."""
    label = normalize_label(match["label"] or match["text"])
    named = match["label"] and any(char.isalpha() for char in match["text"])
    if not named and label not in labels:
        return match[0]
    changes["markup"] += 1
    return match["text"]


# A letter of a script with spaces between words: beside one, `*` and `[` are no markup.
_WORD = r"[\w--[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]]"
_URL = r"(?:https?://|www\.)[^\s<>\"*)\]`]++(*SKIP)(*FAIL)"

_LINK = compile_pattern(
    rf"(?<!{_WORD})!?\[([^\[\]\u2028]*+)\]"
    r"\((?:<[^<>\n]*+>|(?:[^()\s]++|\([^()\s]*+\))*+)"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'))?+\s*+\)"
)
_LINKS: _Rules = [
    (compile_pattern(rf"(?<!{_WORD}|`)(`{{1,3}})(?!`)([^`\u2028]++)\1(?!{_WORD}|`)"), r"\2"),
    (compile_pattern(r"\[\^[^\[\]\s]{1,100}+\]"), ""),  # a footnote reference
    (_LINK, r"\1"),
    (_LINK, r"\1"),  # again: an image inside a link
]
_REFERENCE = compile_pattern(
    rf"(?<!{_WORD}|\])!?\[(?P<text>[^\[\]]++)\](?![(:])(?:[ ]?\[(?P<label>[^\[\]]*+)\])?+"
)
_EMPHASIS = compile_pattern(
    rf"{_URL}|(?<!{_WORD}|[*\\])(\*{{1,3}})(?![\s*])([^*\u2028]++)(?<![\s\\])\1(?!{_WORD}|\*)"
)
_OTHERS: _Rules = [
    (compile_pattern(r"<(https?://[^\s<>]++)>"), r"\1"),
    (compile_pattern(r"<(?:mailto:)?([\w.+-]++@[\w.-]++)>"), r"\1"),
    (_EMPHASIS, r"\2"),
    (_EMPHASIS, r"\2"),  # again: emphasis inside emphasis
    (
        compile_pattern(rf"{_URL}|(?<!\w)(_{{1,3}})(?![\s_])([^_\u2028]++)(?<!\s)\1(?!\w)"),
        r"\2",
    ),
    (compile_pattern(r"~~(?![\s~])([^~\u2028]++)(?<!\s)~~"), r"\1"),
    (
        compile_pattern(
            r"\\([*_#`\[\]])|(?<![\w:\\\p{P}])\\([[\p{P}$+<=>^|~]--\\])|(?<=\d)\\([.)])"
        ),
        r"\1\2\3",
    ),
    (compile_pattern(r"\\(?=\n)"), ""),  # a hard line break
]
