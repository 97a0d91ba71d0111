"""Markup that a text may have opened and not closed: what could close it, if more follows."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from qwen_tts_api.service.text.patterns import compile_pattern

_THINKING = "(?:think|thought|reasoning)"
# What opens it, and what closes it. Of blocks, whose text is not spoken at all:
_BLOCKS = [
    (compile_pattern(r"```|`{1,2}$"), ("\nx\n```\n", "`\nx\n```\n", "``\nx\n```\n")),
    (compile_pattern(r"~~~|~{1,2}$"), ("\nx\n~~~\n", "~\nx\n~~~\n")),
    # Not behind a closed one: a closing tag without another means all text before it.
    (compile_pattern(rf"(?is)<{_THINKING}(?!.*</{_THINKING})"), ("x</think>", ">x</think>")),
    (compile_pattern(r"<!--"), ("-->",)),
    (compile_pattern(r"(?i)<(?:script|style|tool_)"), ("x</script>", "x</style>", "</tool_call>")),
]
# Of what is inside of a paragraph:
_MARKS = [
    *(
        (
            compile_pattern(regex.escape(mark)),
            (mark, 2 * mark, *("x" + n * mark for n in (1, 2, 3))),
        )
        for mark in "*_`~"
    ),
    (
        compile_pattern(r"\["),
        ("x](x)", "](x)", "(x)", ")", "x)", "x))", 'x")', "]: https://x", "x][x]"),
    ),
    (compile_pattern(r"<"), (">", "x>", "x='x'>", "/x>", '">', "'>")),
    (compile_pattern(r"&"), (";", "amp;")),
    (
        compile_pattern(r"\|"),
        tuple(begin + "---|" * cells for begin in ("\n", "") for cells in range(1, 9)),
    ),
]


def closers(text: str, *, blocks_only: bool) -> Iterator[str]:
    """Yield what would close anything that may be open at the end of a text.

    Args:
        text: As it came so far.
        blocks_only: Leave out what is inside of a paragraph.
    """
    for opened, endings in _BLOCKS if blocks_only else [*_BLOCKS, *_MARKS]:
        if opened.search(text):
            yield from endings
