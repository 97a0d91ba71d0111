"""Unwrap lines: join hard-wrapped lines of one sentence, and words hyphenated at line ends.

Intended line breaks (verse, addresses, lists) stay.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from qwen_tts_api.service.text.markup.markdown_blocks import Line
from qwen_tts_api.service.text.patterns import WINDOW_CHARS, compile_pattern

LINE_BREAK = "\u2028"
"""Stands for a hard line break, such as an HTML block tag."""

# The least columns of a line that counts as wrapped: where the next line begins with a lower-case
# letter; where the line does not end a sentence; the same in Chinese and Japanese.
_MIN_COLUMNS_BEFORE_LOWER = 25
_MIN_COLUMNS = 50
_MIN_COLUMNS_UNSPACED = 40
# How much of a line's end the patterns see.
_TAIL_CHARS = 64
# Instead of a separator: the lines are joined, and the hyphen between them is removed.
_DROP_HYPHEN = "-"
# The width of a paragraph in which each line is as long as fits.
_FILLED_COLUMNS = range(30, 121)

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}、。，！？；：」』）】"


_WIDE = compile_pattern(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u3000-\u303F\uFF01-\uFF60]")
_UNSPACED_END = compile_pattern(rf"(?r)[{_UNSPACED}]$")
_UNSPACED_BEGIN = compile_pattern(rf"[{_UNSPACED}「『（【“]")
_LOWER = compile_pattern(r"[\"'“‘«„(\[]*+\p{Ll}")
_WORD = compile_pattern(rf"\s*+(?:[「『（【“]*+[{_UNSPACED}]|[^\s{_UNSPACED}]++)")
_TEXT = compile_pattern(r"[\"'“‘«„»(\[「『（【*_`~]*+[\p{L}\p{N}]")
_SENTENCE_END = compile_pattern(r"(?r)[.!?…。！？:：;；][)\]}\"'”’»›«“」』）*_`~]*$")

# A word that continues in the next line. Its hyphen is part of its spelling before a capital,
# behind a digit or another hyphen, and in these words; in `Vor- und` it is a suspended hyphen.
_HYPHENATED = compile_pattern(r"(?r)[\p{L}\p{M}\p{N}]++[-‐\u00AD¬]$")
_SPELLED_HYPHEN = compile_pattern(r"(?ri)(?:\p{N}|[-‐]\p{L}++|(?<!\p{L})(?:self|well))[-‐]$")
_SUSPENDED_HYPHEN = compile_pattern(
    r"(?:und|oder|bzw\.?|sowie|bis|and|or|to|et|ou|y|o|u|e|i|или|и)(?![\p{L}-])"
)


def unwrap_lines(block: Sequence[Line], changes: Counter[str]) -> str:
    """Join the wrapped lines of a block; keep intended line breaks as LF.

    Args:
        block: At least one line.
        changes: Number of line ends removed; is added to.
    """
    filled = _is_filled(block)
    unwrapped = [block[0].text]
    for line, following in itertools.pairwise(block):
        separator = _find_separator(
            line.text.rstrip(" "), following.text.lstrip(" "), filled=filled
        )
        if separator is None or line.text.endswith("  "):
            unwrapped += ["\n", following.text]
            continue
        changes["lines"] += 1
        kept = unwrapped[-1].rstrip(" ")
        unwrapped[-1] = kept[:-1] if separator == _DROP_HYPHEN else kept
        unwrapped += ["" if separator == _DROP_HYPHEN else separator, following.text.lstrip(" ")]
    return "".join(unwrapped)


def _find_separator(line: str, following: str, *, filled: bool) -> str | None:
    """Return what two lines are joined with; None keeps the line break.

    `_DROP_HYPHEN` joins them without the hyphen at the line end.
    """
    if line.endswith(("\\", LINE_BREAK)) or not _TEXT.match(following):
        return None
    tail, lower = line[-_TAIL_CHARS:], _LOWER.match(following) is not None
    if _HYPHENATED.match(tail):
        if _SUSPENDED_HYPHEN.match(following):
            return " "
        if lower:
            return "" if _SPELLED_HYPHEN.match(tail) else _DROP_HYPHEN
        return "" if following[0].isalnum() else None
    width = _width(line)
    unspaced = bool(_UNSPACED_END.match(tail) and _UNSPACED_BEGIN.match(following))
    minimum = _MIN_COLUMNS_UNSPACED if unspaced else _MIN_COLUMNS
    continues = width >= minimum and not _SENTENCE_END.match(tail)
    if filled or continues or (lower and width >= _MIN_COLUMNS_BEFORE_LOWER):
        return "" if unspaced else " "
    return None


def _width(text: str) -> int:
    """Return a line's width in columns; wide characters are counted in its first window only."""
    return len(text) + len(_WIDE.findall(text[:WINDOW_CHARS]))


def _is_filled(block: Sequence[Line]) -> bool:
    """Return whether every line ends where the next word would not have fitted.

    At least one line must follow that begins in lower case: in verse none does.
    """
    if len(block) < 3:
        return False
    widths = [_width(line.text.rstrip(" ")) for line in block]
    limit = max(widths)
    if limit not in _FILLED_COLUMNS:
        return False
    continues = False
    for width, following in zip(widths, block[1:], strict=False):
        word = _WORD.match(following.text)
        if word is None or width + 1 + _width(word[0].strip()) <= limit:
            return False
        continues = (
            continues
            or _LOWER.match(following.text.lstrip(" ")) is not None
            or _UNSPACED_BEGIN.match(following.text) is not None
        )
    return continues
