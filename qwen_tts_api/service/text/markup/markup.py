"""Strip markup: HTML, SSML and Markdown become the text that a reader would see.

What is not certainly markup stays: formulas (`2*3*4`, `a < b`), `snake_case`, URLs.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.markup.markdown_blocks import split_blocks
from qwen_tts_api.service.text.markup.markdown_inline import find_destinations, strip_inline
from qwen_tts_api.service.text.markup.unwrap import LINE_BREAK, unwrap_lines
from qwen_tts_api.service.text.patterns import compile_pattern, find_matches, substitute
from qwen_tts_api.service.text.verbalize.edits import Edit, apply


def strip_markup(text: str, changes: Counter[str]) -> str:
    """Remove `<think>` blocks, HTML and SSML tags, and Markdown; decode HTML entities.

    Args:
        text: Without control characters; its line ends are LF.
        changes: Number of marks, code blocks and `<think>` blocks removed; is added to.
    """
    text = _remove(text, _find_thinking(text), "thinking", changes)
    text = _strip_tags(text, changes)
    blocks, labels = split_blocks(text, changes)
    plain = [strip_inline(unwrap_lines(block, changes), labels, changes) for block in blocks]
    text, num = substitute(_ENTITY, lambda entity: html.unescape(entity[0]), "\n".join(plain))
    changes["markup"] += num
    return text.replace(LINE_BREAK, "\n")


def blank_markup(text: str) -> tuple[str, Alignment]:
    """Return a text without what is surely none of what a reader would see, aligned with it.

    That is what stands in tags, comments, `<think>` blocks and the addresses of links, which may
    look like other text: it is blank. An entity is its character.
    """
    for find in (_find_thinking, _find_hidden, _find_tags, find_destinations):
        for begin, end in list(find(text)):
            text = f"{text[:begin]}{BLANK * (end - begin)}{text[end:]}"
    entities = [
        Edit(*entity.span(), char, "")
        for entity in find_matches(text, "&", _ENTITY)
        if (char := html.unescape(entity[0])) != entity[0]
    ]
    return apply(text, entities), Alignment.edited(len(text), entities)


BLANK = "\0"
"""In the place of a character that is no text."""

_ENTITY = compile_pattern(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_THINKING = compile_pattern(r"(?i)(?<!`)<(?P<close>/)?(?:think|thinking|thought|reasoning)>(?!`)")

_SSML = compile_pattern(r"\s*+(?:<\?xml[^<>]{0,200}+>\s*+)?<speak[\s>]")
_SSML_TAG = compile_pattern(r"<[/?!]?[A-Za-z][^<>]*+>")
_BLOCK_TAG = compile_pattern(
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
_TAG = compile_pattern(rf"(?i)</?(?:{_HTML_NAMES}|{_SSML_NAMES}){_ATTRIBUTES}\s*+/?>")
# Elements that a browser does not show: removed with their content.
_HIDDEN = compile_pattern(r"(?i)<(?:(!--)|(script|style|tool_call|tool_response)(?:\s[^<>]*+)?>)")


def _find_thinking(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of `<think>` blocks, which reasoning models write before their answer.

    The first opening tag may be missing, since chat templates put it into the prompt; the last
    closing tag may be missing where the answer was truncated.
    """
    depth = begin = end = 0
    for tag in find_matches(text, "<", _THINKING):
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


def _remove(text: str, spans: Iterator[tuple[int, int]], kind: str, changes: Counter[str]) -> str:
    kept, position = [], 0
    for begin, end in spans:
        kept.append(text[position:begin])
        position = end
        changes[kind] += 1
    return "".join([*kept, text[position:]])


def _strip_tags(text: str, changes: Counter[str]) -> str:
    text = _remove(text, _find_hidden(text), "markup", changes)
    kept, position = [], 0
    for begin, end in _find_tags(text):
        kept.append(text[position:begin])
        kept.append(LINE_BREAK if _BLOCK_TAG.match(text, begin, end) else "")
        position = end
        changes["markup"] += 1
    return "".join([*kept, text[position:]])


def _find_tags(text: str) -> Iterator[tuple[int, int]]:
    pattern = _SSML_TAG if _SSML.match(text, 0, 1000) else _TAG
    for tag in find_matches(text, "<", pattern):
        yield tag.span()


def _find_hidden(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of comments, scripts and the like that are closed."""
    unclosed: set[str] = set()
    position = 0
    for opening in find_matches(text, "<", _HIDDEN):
        closing = "-->" if opening[1] else f"</{opening[2]}>"
        if opening.start() < position or closing in unclosed:
            continue
        found = text.find(closing, opening.end())
        if found < 0:
            unclosed.add(closing)
            continue
        position = found + len(closing)
        yield opening.start(), position
