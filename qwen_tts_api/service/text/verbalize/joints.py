"""Say what joins two amounts, dates or times: the dash of `$5-$10`, the cross of `2 m x 3 m`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qwen_tts_api.service.text.patterns import compile_pattern
from qwen_tts_api.service.text.verbalize.edits import Edit
from qwen_tts_api.service.text.verbalize.languages.language import Language

_DASH = compile_pattern(r"[-‐-―−~～]| [-‐-–−] ")
_CROSS = compile_pattern(r" ?[xX×] ?")
_TIME = compile_pattern(r"[0-9] ?(?:[:：]|h|[aApP]\.? ?[mM]|Uhr)")
_COUNTED = compile_pattern(r"[0-9].*\p{L}")
_MAX_CHARS = 3


def join(text: str, edits: Iterable[Edit], language: Language) -> Iterator[Edit]:
    """Yield the edits of a text, in order, and those of what joins two of the same kind."""
    last: Edit | None = None
    for edit in edits:
        if last is not None and 0 < edit.start - last.end <= _MAX_CHARS:
            word = _joint(text, last, edit, language)
            if word:
                yield Edit(last.end, edit.start, word, edit.kind)
        yield edit
        last = edit


def _joint(text: str, first: Edit, second: Edit, language: Language) -> str:
    """Return the word between two edits; empty if what is there is no joint."""
    written, other = text[first.start : first.end], text[second.start : second.end]
    between = text[first.end : second.start]
    kinds = {first.kind, second.kind}
    if not kinds <= {"dates", "units", "numbers"}:
        return ""
    if kinds == {"units"} and _CROSS.fullmatch(between):
        return language.signs["by"]
    if between in ("/", " / "):
        is_rate = first.kind == "units" and second.kind == "units"
        return language.per if is_rate else language.signs["⁄"]
    is_range = _DASH.fullmatch(between) is not None
    if between == "–" and other[:1] in ("-", "−"):
        return language.to
    if len(kinds) > 1:
        return ""
    if first.kind == "numbers":  # those of digits alone have a rule of their own
        is_range = is_range and bool(_COUNTED.fullmatch(written) and _COUNTED.fullmatch(other))
    is_range = is_range and bool(_TIME.search(written)) == bool(_TIME.search(other))
    return language.to if is_range else ""
