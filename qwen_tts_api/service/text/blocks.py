"""The blocks of a text in Markdown: what its lines are, without the marks that say so."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import regex

from qwen_tts_api.service.text.pieces import PIECE, lines


@dataclass(frozen=True)
class Line:
    """A line of a text.

    Attributes:
        text: Without the marks of its block.
        begins: Whether it never goes on from the line before.
        ends: Whether it never goes on in the next line.
    """

    text: str
    begins: bool = False
    ends: bool = False


Block = list[Line]


def find_blocks(text: str, changes: Counter[str]) -> tuple[Iterator[Block], frozenset[str]]:
    """Return the blocks of a text: paragraphs, items, rows; and the labels of its link targets.

    Args:
        text: Has line ends of one kind.
        changes: How many marks and pieces of code were taken out; is added to.
    """
    kept = _without_code(list(lines(text)), changes)
    targets = [_match(_TARGET, line) for line in kept]
    labels = frozenset(_label(target[1]) for target in targets if target)
    changes["markup"] += len(targets) - targets.count(None)
    kept = [line for line, target in zip(kept, targets, strict=True) if target is None]
    return _grouped(_unmarked(kept, changes)), labels


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _compile(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.VERSION1)


def _match(pattern: regex.Pattern[str], line: str) -> regex.Match[str] | None:
    """Match a whole line. A very long one is nothing but text."""
    return pattern.match(line) if len(line) <= PIECE else None


_BULLET = r"(?:[-+*▫●○■□►▶➤➢][ \t]++(?=\S)|[•◦▪‣][ \t]*+|[-*][ \t]*+$)"
_QUOTE = r"[ ]{0,3}+(?:>[ \t]?+)++(?:(?<=[ \t])|(?=[\p{L}\"'“„«*_`\[#-]|$))"

_FENCE = _compile(
    rf"(?:{_QUOTE})?[ \t]*+{_BULLET}?+(?P<fence>`{{3,}}+|~{{3,}}+)[ \t]*+(?P<info>[^`]*+)$"
)
_CLOSING = _compile(r"(`|~)\1{2,}+")
# What such a block says of itself where it holds no code.
_PROSE = frozenset({"text", "txt", "plain", "plaintext", "markdown", "md", "quote", "prose"})

_TARGET = _compile(
    r"[ ]{0,3}+\[(?!\^)([^\[\]]++)\]:[ \t]*+"
    r"(?:<[^<>]*+>|[A-Za-z][A-Za-z0-9+.-]*+:(?=\S)\S*+|[/#?]\S*+|\.{1,2}/\S*+|[^\s./]++[./]\w\S*+)"
    r"(?:[ \t]++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?[ \t]*+$"
)
_PREFIX = _compile(
    rf"(?P<quote>{_QUOTE})"
    rf"|[ \t]*+(?P<item>{_BULLET}(?:\[[ xX]\](?=[ \t])[ \t]++)?+)"
    r"|[ \t]*+(?P<number>(?:\d{1,9}[.)][ \t]++)?)(?P<task>\[[ xX]\][ \t]++)(?=\S)"
    r"|[ ]{0,3}+(?P<heading>\#{1,6}[ \t]++(?=\S)|\#{2,6}[ \t]*+$)"
    r"|[ ]{0,3}+(?P<note>\[\^[^\[\]\s]++\]:[ \t]*+)"
)
_MAX_NESTED = 8
_HEADING_END = _compile(r"(?r)[ \t]++\#++[ \t]*+$")
_RULE = _compile(r"[ \t]*+(?:([-*_=])(?:[ \t]*+\1){2,}+|--|==)[ \t]*+$")
_NUMBERED = _compile(r"[ \t]*+\d{1,9}[.)][ \t]")

_TABLE_RULE = _compile(r"(?=[^|]*+\|)[ \t]*+\|?(?:[ \t]*+:?-++:?[ \t]*+(?:\||$))++[ \t]*+$")
_CELL = _compile(r"(?:[^|\\`]|\\.|`[^`|]*+`|[\\`])*+")


def _without_code(every: Sequence[str], changes: Counter[str]) -> list[str]:
    """Return the lines that are no code between fences."""
    kept: list[str] = []
    closings = _find_closings(every)
    position = 0
    while position < len(every):
        fence = _match(_FENCE, every[position])
        position += 1
        if fence is None:
            kept.append(every[position - 1])
            continue
        info = fence["info"].split()
        end = _find_closing(closings, position, fence["fence"])
        if end is None:
            if len(info) != 1 or fence["fence"][0] == "~":  # no code begins here
                changes["markup"] += not info
                kept += [every[position - 1]] if info else []
                continue
            end = len(every)
        if info and info[0].lower() in _PROSE:
            changes["markup"] += 1
            kept += ["", *every[position:end], ""]
        else:
            changes["code"] += 1
            kept.append("")
        position = end + 1
    return kept


def _find_closings(every: Sequence[str]) -> list[tuple[int, str]]:
    """Return which lines are nothing but a fence, and it."""
    bare = ((number, line.strip(" \t>")) for number, line in enumerate(every))
    return [(number, line) for number, line in bare if _CLOSING.fullmatch(line, 0, PIECE)]


def _find_closing(closings: Sequence[tuple[int, str]], start: int, fence: str) -> int | None:
    behind = range(bisect.bisect_left(closings, (start, "")), len(closings))
    return next((closings[at][0] for at in behind if closings[at][1].startswith(fence)), None)


def _unmarked(every: Sequence[str], changes: Counter[str]) -> Iterator[Line]:
    """Yield the lines without their marks, a table's cells with commas between them."""
    in_table = after_rule = False
    for line, following in itertools.zip_longest(every, every[1:], fillvalue=""):
        if in_table and _match(_TABLE_RULE, line):
            continue
        heads_table = not in_table and _heads_table(line, following)
        changes["markup"] += heads_table
        in_table = heads_table or (in_table and "|" in line)
        if in_table:
            yield _row(line)
        elif _match(_RULE, line):
            changes["markup"] += 1
            after_rule = True
        else:
            unmarked = _unmarked_line(line, changes)
            yield replace(unmarked, begins=unmarked.begins or after_rule)
            after_rule = False


def _heads_table(line: str, following: str) -> bool:
    if "|" not in line or len(line) > PIECE or not _match(_TABLE_RULE, following):
        return False
    return len(_cells(line)) == len(_cells(following))


def _unmarked_line(line: str, changes: Counter[str]) -> Line:
    begins, ends, number = _NUMBERED.match(line) is not None, False, ""
    for _ in range(_MAX_NESTED):
        mark = _PREFIX.match(line, 0, PIECE)
        if mark is None:
            break
        changes["markup"] += 1
        line = line[mark.end() :]
        number += mark["number"] or ""
        begins = begins or mark["quote"] is None
        if mark["heading"] is not None:
            ends = True
            line = _HEADING_END.sub("", line[:PIECE]) + line[PIECE:]
            break
    return Line(number + line, begins, ends)


def _cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    cells, position = [], 0
    while position < len(row):
        cell = _CELL.match(row, position)
        assert cell is not None
        cells.append(cell[0].strip().replace("\\|", "|"))
        position = cell.end() + 1
    return cells


def _row(line: str) -> Line:
    return Line(", ".join(cell for cell in _cells(line) if cell), True, True)


def _grouped(every: Iterator[Line]) -> Iterator[Block]:
    """Yield lines together that may go on from one to the next."""
    block: Block = []
    for line in every:
        if block and (line.begins or block[-1].ends or not line.text.strip()):
            yield block
            block = []
        block.append(line)
        if not line.text.strip():
            yield block
            block = []
    if block:
        yield block
