"""Take markup out of a text: HTML, SSML and Markdown become the text that a reader would see.

What is not certainly markup is text: formulas (`2*3*4`, `a < b`), `snake_case`, addresses. Every
pattern takes linear time, whatever the text: quantifiers are possessive (`++`), and stop at what
begins the next match.
"""

from __future__ import annotations

import html
from collections.abc import Callable

import regex

_FLAGS = regex.VERSION1 | regex.MULTILINE  # version 1 has sets such as [\w--\d]
_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}"
# A letter of a script that puts spaces between words: beside one, `*` and `[` are no markup.
_WORD = rf"[\w--[{_NO_SPACES}]]"
_URL = r"(?:https?://|www\.)[^\s<>\"*)\]`]++(*SKIP)(*FAIL)"

Replacement = str | Callable[["regex.Match[str]"], str]


def strip_markup(text: str) -> tuple[str, int]:
    """Return a text without its markup, and how many pieces of it there were."""
    num_pieces = 0
    if _SSML.match(text):
        text, num_pieces = _SSML_TAG.subn(_tag_as_space, text)
    for pattern, replacement in _HTML + _MARKDOWN:
        text, num = pattern.subn(replacement, text)
        num_pieces += num
    return text, num_pieces


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, _FLAGS)


def _tag_as_space(tag: regex.Match[str]) -> str:
    """Return what stands for a tag: a new line where one separates, else nothing."""
    return "\n" if _SEPARATING_TAG.match(tag[0]) else ""


def _table_as_lists(table: regex.Match[str]) -> str:
    """Return the cells of a table, with commas between them; its ruler is gone."""
    rows = [line.strip().strip("|").split("|") for line in table[0].splitlines()]
    return "".join(", ".join(cell.strip() for cell in row) + "\n" for row in [rows[0], *rows[2:]])


_SSML = _compile(r"\s*(?:<\?xml[^<>]*+>\s*)?<speak[\s>]")
_SSML_TAG = _compile(r"<[/?!]?[A-Za-z][^<>]*+>")
_SEPARATING_TAG = _compile(
    r"</?(?:article|blockquote|br|break|dd|div|dl|dt|figure|h[1-6]|hr|li|ol|p|s|section|table|td|th"
    r"|tr|ul)\b"
)

_TAG_NAMES = (
    "a|abbr|article|aside|b|big|blockquote|body|br|button|center|cite|code|dd|del|div|dl|dt|em"
    "|figcaption|figure|font|footer|h[1-6]|head|header|hr|html|i|iframe|img|ins|kbd|label|li|link"
    "|main|mark|meta|nav|ol|p|pre|q|s|section|small|span|strike|strong|sub|sup|table|tbody|td|tfoot"
    "|th|thead|title|tr|tt|u|ul"
)
_ATTRIBUTES = r"""(?:\s++[\w:-]++\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>]++))*+"""

_HTML: list[tuple[regex.Pattern[str], Replacement]] = [
    (_compile(r"<!--(?:(?!-->|<!--)[\s\S])*+-->"), ""),
    (_compile(r"<(script|style)\b[^<>]*+>(?:(?!</?(?:script|style)\b)[\s\S])*+</\1\s*>"), ""),
    (_compile(rf"(?i)</?(?:{_TAG_NAMES}){_ATTRIBUTES}\s*+/?>"), _tag_as_space),
    (
        _compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"),
        lambda entity: html.unescape(entity[0]),
    ),
]

_EMPHASIS = _compile(
    rf"{_URL}|(?<!{_WORD}|[*\\])(\*{{1,3}})(?![\s*])([^*\n]++)(?<![\s\\])\1(?!{_WORD}|\*)"
)
_MARKDOWN: list[tuple[regex.Pattern[str], Replacement]] = [
    (_compile(r"^[ \t]*+(?:```++|~~~++)[ \t]*+[\w+#.-]*+[ \t]*+(?:\n|\Z)"), ""),
    (_compile(r"^[ \t]*+([-*_=])(?:[ \t]*+\1){2,}+[ \t]*+(?:\n|\Z)"), ""),
    (
        _compile(
            r"^[ \t]*+\|[^\n]++\n[ \t]*+\|(?:[ \t]*+:?-++:?[ \t]*+\|)++[ \t]*+$"
            r"(?:\n[ \t]*+\|[^\n]*+)*+(?:\n|\Z)"
        ),
        _table_as_lists,
    ),
    (_compile(r"^(?:>[ \t]++)++"), ""),
    (_compile(r"^[ \t]*+[*•][ \t]++"), ""),
    (_compile(r"^[ ]{0,3}#{1,6}[ \t]++(?=\S)"), ""),
    (
        _compile(
            rf"(?<!{_WORD})!?\[([^\[\]\n]*+)\]"
            r"\((?:[^()\s]++|\([^()\s]*+\))*+(?:\s++\"[^\"\n]*+\")?+\)"
        ),
        r"\1",
    ),
    (_compile(r"<(https?://[^\s<>]++)>"), r"\1"),
    (_compile(rf"(?<!{_WORD}|`)(`{{1,2}})([^`\n]++)\1(?!{_WORD}|`)"), r"\2"),
    (_EMPHASIS, r"\2"),
    (_EMPHASIS, r"\2"),  # once more for what was inside another
    (_compile(rf"{_URL}|(?<!\w)(_{{1,3}})(?![\s_])([^_\n]++)(?<!\s)\1(?!\w)"), r"\2"),
    (_compile(r"~~(?![\s~])([^~\n]++)(?<!\s)~~"), r"\1"),
    (_compile(r"\\([*_#`])"), r"\1"),
]
