"""Take markup out of a text: HTML, SSML and Markdown become the text that a reader would see.

What is not certainly markup is text: formulas (`2*3*4`, `a < b`), `snake_case`, addresses.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator

import regex

from qwen_tts_api.service.text.blocks import find_blocks
from qwen_tts_api.service.text.inline import strip_inline
from qwen_tts_api.service.text.pieces import match_at, substitute
from qwen_tts_api.service.text.wrapping import LINE_BREAK, join_lines


def strip_markup(text: str, changes: Counter[str]) -> str:
    """Return a text without its markup.

    Args:
        text: Without control characters and with line ends of one kind.
        changes: How many pieces of markup, code and thinking were taken out; is added to.
    """
    text = _without(text, _find_thinking(text), "thinking", changes)
    text = _strip_tags(text, changes)
    blocks, labels = find_blocks(text, changes)
    parts = [strip_inline(join_lines(block, changes), labels, changes) for block in blocks]
    text, num = substitute(_ENTITY, lambda entity: html.unescape(entity[0]), "\n".join(parts))
    changes["markup"] += num
    return text.replace(LINE_BREAK, "\n")


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)


_ENTITY = _compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_THINKING = _compile(r"(?i)(?<!`)<(?P<close>/)?(?:think|thinking|thought|reasoning)>(?!`)")

_SSML = _compile(r"\s*+(?:<\?xml[^<>]{0,200}+>\s*+)?<speak[\s>]")
_SSML_TAG = _compile(r"<[/?!]?[A-Za-z][^<>]*+>")
_SEPARATING_TAG = _compile(
    r"(?i)</?(?:article|blockquote|br|break|dd|div|dl|dt|figure|h[1-6]|hr|li|ol|option|p|s|section"
    r"|summary|table|td|th|tr|ul)\b"
)
_HTML_NAMES = (
    "a|abbr|address|article|aside|audio|b|bdi|bdo|big|blockquote|body|br|button|canvas|caption"
    "|center|cite|code|col|colgroup|dd|del|details|dfn|dialog|div|dl|dt|em|embed|figcaption|figure"
    "|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link"
    "|main|mark|meta|nav|noscript|ol|optgroup|option|p|picture|pre|q|rp|rt|ruby|s|samp|section"
    "|select|small|source|span|strike|strong|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th"
    "|thead|time|title|tr|tt|u|ul|var|video|wbr"
)
_SSML_NAMES = (
    r"speak|break|prosody|emphasis|say-as|phoneme|voice|lang|lexicon|metadata|desc|w|token"
    r"|(?:amazon|mstts|google|bookmark|xai|ssml):[\w:-]++"
)
_ATTRIBUTES = (
    r"""(?:\s++(?:[\w:-]++\s*+=\s*+(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>]++)"""
    r"|(?:allowfullscreen|async|autoplay|checked|controls|defer|disabled|hidden|itemscope|loop"
    r"|multiple|muted|novalidate|open|readonly|required|reversed|selected)(?=[\s/>])))*+"
)
_TAG = _compile(rf"(?i)</?(?:{_HTML_NAMES}|{_SSML_NAMES}){_ATTRIBUTES}\s*+/?>")
# What is not shown to a reader, with all that is in it.
_HIDDEN = _compile(r"(?i)<(?:(!--)|(script|style|tool_call|tool_response)(?:\s[^<>]*+)?>)")


def _find_thinking(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a model thought before it answered, as their templates write it.

    The first tag may be missing, as it is often part of the prompt; and the last, where the answer
    was cut off.
    """
    depth = begin = end = 0
    for tag in match_at(text, "<", _THINKING):
        if not tag["close"]:
            begin = begin if depth else tag.start()
            depth += 1
        elif depth <= 1:
            yield (begin if depth else end), tag.end()
            depth, end = 0, tag.end()
        else:
            depth -= 1
    if depth and not text[end:begin].strip():
        yield begin, len(text)


def _without(text: str, spans: Iterator[tuple[int, int]], kind: str, changes: Counter[str]) -> str:
    parts, position = [], 0
    for begin, end in spans:
        parts.append(text[position:begin])
        position = end
        changes[kind] += 1
    return "".join([*parts, text[position:]])


def _strip_tags(text: str, changes: Counter[str]) -> str:
    pattern = _SSML_TAG if _SSML.match(text, 0, 1000) else _TAG
    text = _without(text, _find_hidden(text), "markup", changes)
    parts, position = [], 0
    for tag in match_at(text, "<", pattern):
        parts.append(text[position : tag.start()])
        parts.append(LINE_BREAK if _SEPARATING_TAG.match(tag[0]) else "")
        position = tag.end()
        changes["markup"] += 1
    return "".join([*parts, text[position:]])


def _find_hidden(text: str) -> Iterator[tuple[int, int]]:
    """Yield where comments and scripts are; one without an end is none."""
    endless: set[str] = set()
    position = 0
    for opening in match_at(text, "<", _HIDDEN):
        closing = "-->" if opening[1] else f"</{opening[2]}>"
        if opening.start() < position or closing in endless:
            continue
        found = text.find(closing, opening.end())
        if found < 0:
            endless.add(closing)
            continue
        position = found + len(closing)
        yield opening.start(), position
