"""Join lines that were only wrapped, and words that were hyphenated: a reader sees one sentence.

Where the writer ended a line (verses, addresses, lists) it stays one.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import regex

from qwen_tts_api.service.text.blocks import Line
from qwen_tts_api.service.text.pieces import PIECE

LINE_BREAK = "\u2028"
"""Stands for a line end that is meant, as an HTML tag is."""

# Columns of the shortest line that is taken for a wrapped one, where the next begins with a small
# letter, and where it does not end a sentence; and of the longest line of a paragraph whose lines
# are all as long as fits.
_SMALL_FOLLOWS = 25
_GOES_ON = 50
_WIDE_GOES_ON = 40
_FILLED = range(30, 121)

_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}、。，！？；：」』）】"


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)


_WIDE = _compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u3000-\u303F\uFF01-\uFF60]")
_WIDE_END = _compile(rf"(?r)[{_NO_SPACES}]$")
_WIDE_BEGIN = _compile(rf"[{_NO_SPACES}「『（【“]")
_SMALL = _compile(r"[\"'“‘«„(\[]*+\p{Ll}")
_WORD = _compile(rf"\s*+(?:[「『（【“]*+[{_NO_SPACES}]|[^\s{_NO_SPACES}]++)")
_TEXT = _compile(r"[\"'“‘«„»(\[「『（【*_`~]*+[\p{L}\p{N}]")
_SENTENCE_END = _compile(r"(?r)[.!?…。！？:：;；][)\]}\"'”’»›«“」』）*_`~]*$")

# A word that goes on in the next line. Its hyphen is one of its own before a capital letter, behind
# another hyphen, behind a digit and in these; and what it ends may be left open: `Vor- und`.
_HYPHENATED = _compile(r"(?r)[\p{L}\p{M}\p{N}]++[-‐\u00AD¬]$")
_OWN_HYPHEN = _compile(r"(?ri)(?:\p{N}|[-‐]\p{L}++|(?<!\p{L})(?:self|well))[-‐]$")
_OPEN_HYPHEN = _compile(
    r"(?:und|oder|bzw\.?|sowie|bis|and|or|to|et|ou|y|o|u|e|i|или|и)(?![\p{L}-])"
)


def join_lines(block: Sequence[Line], changes: Counter[str]) -> str:
    """Return the text of lines that belong together, with line ends where they are meant.

    Args:
        block: At least one line; the first may begin something.
        changes: How many line ends went; is added to.
    """
    filled = _is_filled(block)
    parts = [block[0].text]
    for line, following in itertools.pairwise(block):
        joint = _joint(line.text.rstrip(" "), following.text.lstrip(" "), filled=filled)
        if joint is None or line.text.endswith("  "):
            parts += ["\n", following.text]
            continue
        changes["lines"] += 1
        kept = parts[-1].rstrip(" ")
        parts[-1] = kept[:-1] if joint == _DROPS_HYPHEN else kept
        parts += ["" if joint == _DROPS_HYPHEN else joint, following.text.lstrip(" ")]
    return "".join(parts)


_DROPS_HYPHEN = "-"


def _joint(line: str, following: str, *, filled: bool) -> str | None:
    """Return what two lines are joined with, if they are; "-" says that the hyphen goes."""
    if line.endswith(("\\", LINE_BREAK)) or not _TEXT.match(following):
        return None
    tail, small = line[-_TAIL:], _SMALL.match(following) is not None
    if _HYPHENATED.match(tail):
        if _OPEN_HYPHEN.match(following):
            return " "
        if small:
            return "" if _OWN_HYPHEN.match(tail) else _DROPS_HYPHEN
        return "" if following[0].isalnum() else None
    width = _width(line)
    wide = _WIDE_END.match(tail) is not None and _WIDE_BEGIN.match(following) is not None
    goes_on = width >= (_WIDE_GOES_ON if wide else _GOES_ON) and not _SENTENCE_END.match(tail)
    if filled or goes_on or (small and width >= _SMALL_FOLLOWS):
        return "" if wide else " "
    return None


_TAIL = 64


def _width(text: str) -> int:
    """Return how many columns a line takes; very long ones are all alike."""
    return len(text) + len(_WIDE.findall(text[:PIECE]))


def _is_filled(block: Sequence[Line]) -> bool:
    """Tell whether lines end only where the next word had no room.

    In verse, too, they may by chance; but there the next begins with a capital letter.
    """
    if len(block) < 3:
        return False
    widths = [_width(line.text.rstrip(" ")) for line in block]
    limit = max(widths)
    if limit not in _FILLED:
        return False
    followed_by_small = False
    for width, following in zip(widths, block[1:], strict=False):
        word = _WORD.match(following.text)
        if word is None or width + 1 + _width(word[0].strip()) <= limit:
            return False
        followed_by_small = (
            followed_by_small
            or _SMALL.match(following.text.lstrip(" ")) is not None
            or _WIDE_BEGIN.match(following.text) is not None
        )
    return followed_by_small
