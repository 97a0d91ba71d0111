"""Parse the block structure of Markdown: headings, lists, quotes, tables, fenced code, rules."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import regex

from qwen_tts_api.service.text.patterns import WINDOW_CHARS, compile_pattern, lines


@dataclass(frozen=True)
class Line:
    """A line of a text.

    Attributes:
        text: Without block markers (`#`, `-`, `>`).
        begins: Whether it begins a block: it is never joined to the line before.
        ends: Whether it ends a block: the next line is never joined to it.
    """

    text: str
    begins: bool = False
    ends: bool = False


Block = list[Line]


def split_blocks(text: str, changes: Counter[str]) -> tuple[Iterator[Block], frozenset[str]]:
    """Split a text into blocks (paragraphs, list items, table rows) without block markers.

    Args:
        text: Its line ends are LF.
        changes: Number of marks and code blocks removed; is added to.

    Returns:
        The blocks, and the normalized labels of link reference definitions (`[label]: url`).
    """
    kept = _remove_code_blocks(list(lines(text)), changes)
    definitions = [_match(_LINK_DEFINITION, line) for line in kept]
    labels = frozenset(normalize_label(found[1]) for found in definitions if found)
    changes["markup"] += len(definitions) - definitions.count(None)
    kept = [line for line, found in zip(kept, definitions, strict=True) if found is None]
    return _group_lines(_strip_lines(kept, changes)), labels


def normalize_label(text: str) -> str:
    """Return a link label with white space collapsed and case folded, as CommonMark compares it."""
    return " ".join(text.split()).casefold()


def _match(pattern: regex.Pattern[str], line: str) -> regex.Match[str] | None:
    """Match a whole line. One longer than a window is plain text."""
    return pattern.match(line) if len(line) <= WINDOW_CHARS else None


_BULLET = r"(?:[-+*▫●○■□►▶➤➢][ \t]++(?=\S)|[•◦▪‣][ \t]*+|[-*][ \t]*+$)"
_QUOTE = r"[ ]{0,3}+(?:>[ \t]?+)++(?:(?<=[ \t])|(?=[\p{L}\"'“„«*_`\[#-]|$))"

_FENCE = compile_pattern(
    rf"(?:{_QUOTE})?[ \t]*+{_BULLET}?+(?P<fence>`{{3,}}+|~{{3,}}+)[ \t]*+(?P<info>[^`]*+)$"
)
_CLOSING_FENCE = compile_pattern(r"(`|~)\1{2,}+")
# Info strings of fenced blocks whose content is prose.
_PROSE = frozenset({"text", "txt", "plain", "plaintext", "markdown", "md", "quote", "prose"})

_LINK_DEFINITION = compile_pattern(
    r"[ ]{0,3}+\[(?!\^)([^\[\]]++)\]:[ \t]*+"
    r"(?:<[^<>]*+>|[A-Za-z][A-Za-z0-9+.-]*+:(?=\S)\S*+|[/#?]\S*+|\.{1,2}/\S*+|[^\s./]++[./]\w\S*+)"
    r"(?:[ \t]++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?[ \t]*+$"
)
_BLOCK_MARKER = compile_pattern(
    rf"(?P<quote>{_QUOTE})"
    rf"|[ \t]*+(?P<item>{_BULLET}(?:\[[ xX]\](?=[ \t])[ \t]++)?+)"
    r"|[ \t]*+(?P<number>(?:\d{1,9}[.)][ \t]++)?)(?P<task>\[[ xX]\][ \t]++)(?=\S)"
    r"|[ ]{0,3}+(?P<heading>\#{1,6}[ \t]++(?=\S)|\#{2,6}[ \t]*+$)"
    r"|[ ]{0,3}+(?P<note>\[\^[^\[\]\s]++\]:[ \t]*+)"
)
_MAX_NESTED = 8
_HEADING_END = compile_pattern(r"(?r)[ \t]++\#++[ \t]*+$")
_THEMATIC_BREAK = compile_pattern(r"[ \t]*+(?:([-*_=])(?:[ \t]*+\1){2,}+|--|==)[ \t]*+$")
_NUMBERED = compile_pattern(r"[ \t]*+\d{1,9}[.)][ \t]")

_TABLE_DELIMITER = compile_pattern(
    r"(?=[^|]*+\|)[ \t]*+\|?(?:[ \t]*+:?-++:?[ \t]*+(?:\||$))++[ \t]*+$"
)
_CELL = compile_pattern(r"(?:[^|\\`]|\\.|`[^`|]*+`|[\\`])*+")


def _remove_code_blocks(source: Sequence[str], changes: Counter[str]) -> list[str]:
    """Return the lines that are outside of fenced code blocks."""
    kept: list[str] = []
    closing_fences = _find_closing_fences(source)
    position = 0
    while position < len(source):
        fence = _match(_FENCE, source[position])
        position += 1
        if fence is None:
            kept.append(source[position - 1])
            continue
        info = fence["info"].split()
        end = _find_closing(closing_fences, position, fence["fence"])
        if end is None:
            if len(info) != 1 or fence["fence"][0] == "~":  # not the beginning of a code block
                changes["markup"] += not info
                kept += [source[position - 1]] if info else []
                continue
            end = len(source)
        if info and info[0].lower() in _PROSE:
            changes["markup"] += 1
            kept += ["", *source[position:end], ""]
        else:
            changes["code"] += 1
            kept.append("")
        position = end + 1
    return kept


def _find_closing_fences(source: Sequence[str]) -> list[tuple[int, str]]:
    """Return the line numbers of closing fences, and the fences."""
    bare = ((number, line.strip(" \t>")) for number, line in enumerate(source))
    return [
        (number, line) for number, line in bare if _CLOSING_FENCE.fullmatch(line, 0, WINDOW_CHARS)
    ]


def _find_closing(closing_fences: Sequence[tuple[int, str]], start: int, fence: str) -> int | None:
    """Return the line number of the first fence from `start` on that closes `fence`, or None."""
    first = bisect.bisect_left(closing_fences, (start, ""))
    candidates = (closing_fences[index] for index in range(first, len(closing_fences)))
    return next((number for number, closing in candidates if closing.startswith(fence)), None)


def _strip_lines(source: Sequence[str], changes: Counter[str]) -> Iterator[Line]:
    """Yield the lines without block markers, table cells separated by commas."""
    in_table = after_break = False
    for line, following in itertools.zip_longest(source, source[1:], fillvalue=""):
        if in_table and _match(_TABLE_DELIMITER, line):
            continue
        is_table_header = not in_table and _is_table_header(line, following)
        changes["markup"] += is_table_header
        in_table = is_table_header or (in_table and "|" in line)
        if in_table:
            yield _table_row(line)
        elif _match(_THEMATIC_BREAK, line):
            changes["markup"] += 1
            after_break = True
        else:
            stripped = _strip_line(line, changes)
            yield replace(stripped, begins=stripped.begins or after_break)
            after_break = False


def _is_table_header(line: str, following: str) -> bool:
    if "|" not in line or len(line) > WINDOW_CHARS or not _match(_TABLE_DELIMITER, following):
        return False
    return len(_split_cells(line)) == len(_split_cells(following))


def _strip_line(line: str, changes: Counter[str]) -> Line:
    begins, ends, number = _NUMBERED.match(line) is not None, False, ""
    for _ in range(_MAX_NESTED):
        marker = _BLOCK_MARKER.match(line, 0, WINDOW_CHARS)
        if marker is None:
            break
        changes["markup"] += 1
        line = line[marker.end() :]
        number += marker["number"] or ""
        begins = begins or marker["quote"] is None
        if marker["heading"] is not None:
            ends = True
            line = _HEADING_END.sub("", line[:WINDOW_CHARS]) + line[WINDOW_CHARS:]
            break
    return Line(number + line, begins, ends)


def _split_cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    cells, position = [], 0
    while position < len(row):
        cell = _CELL.match(row, position)
        assert cell is not None
        cells.append(cell[0].strip().replace("\\|", "|"))
        position = cell.end() + 1
    return cells


def _table_row(line: str) -> Line:
    return Line(", ".join(cell for cell in _split_cells(line) if cell), True, True)


def _group_lines(stripped: Iterator[Line]) -> Iterator[Block]:
    """Yield runs of lines that may be joined; an empty line is a block of its own."""
    block: Block = []
    for line in stripped:
        if block and (line.begins or block[-1].ends or not line.text.strip()):
            yield block
            block = []
        block.append(line)
        if not line.text.strip():
            yield block
            block = []
    if block:
        yield block
