"""Turns of several speakers: as a list, or as lines that begin with a name in brackets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen_tts_api.errors import TextTooLong
from qwen_tts_api.service.text.patterns import compile_pattern, lines
from qwen_tts_api.service.text.script.marks import is_pause_mark
from qwen_tts_api.service.text.script.passage import Passage, Script, Style, check_num_passages
from qwen_tts_api.service.text.sentences import Boundary

_MARK = compile_pattern(r"[ \t]{0,16}+(\[[^\[\]\n]{1,100}+\])[ \t]*+:?+")


@dataclass(frozen=True)
class Turn:
    """What one speaker says. What is empty is as the request has it.

    Attributes:
        text: What to say.
        speaker: Who says it.
        instruct: How.
        language: In which language.
    """

    text: str
    speaker: str = ""
    instruct: str = ""
    language: str = ""


def read_turns(turns: Sequence[Turn], max_chars: int, *, pause_marks: bool) -> Script:
    """Return the script that a list of turns is.

    Args:
        turns: At least one.
        max_chars: Of all texts together.
        pause_marks: Whether `[pause]` in them is one.

    Raises:
        InvalidRequest: There are too many.
        TextTooLong: All texts together are.
    """
    check_num_passages(len(turns))
    num_chars = sum(len(turn.text) for turn in turns)
    if num_chars > max_chars:
        raise TextTooLong(
            lambda field: (
                f"The texts of {field('turns')} have {num_chars} characters together; "
                f"QWEN_MAX_TEXT_CHARS allows {max_chars}: send them in parts."
            ),
            fields={"turns": [f"Longer than {max_chars} characters together."]},
        )
    starts = itertools.accumulate((len(turn.text) for turn in turns), initial=0)
    return Script(
        [
            _passage(
                turn.text,
                start,
                Style(turn.speaker, turn.language, turn.instruct, place=f"Turn {number}"),
                pause_marks=pause_marks,
            )
            for (number, turn), start in zip(enumerate(turns, 1), starts, strict=False)
        ]
    )


def split_at_speakers(text: str, start: int = 0, *, pause_marks: bool) -> Script:
    """Return the script of a text whose lines may begin with a speaker: `[Ryan] Hello.`.

    A speaker goes on until the next one. What is before the first is the request's own voice's.

    Args:
        text: All of it.
        start: Where it begins in the client's text.
        pause_marks: Whether `[pause]` in it is one.
    """
    style, begin, position = Style(), 0, 0
    passages: list[Passage] = []
    for number, line in enumerate(lines(text), 1):
        mark = _MARK.match(line)
        if mark and not (pause_marks and is_pause_mark(mark[1])):
            passages += _spoken(text[begin:position], start + begin, style, pause_marks=pause_marks)
            style = Style(mark[1][1:-1].strip(), place=f"Line {number}")
            begin = position + mark.end()
        position += len(line) + 1
    passages += _spoken(text[begin:], start + begin, style, pause_marks=pause_marks)
    check_num_passages(len(passages))
    return Script(passages)


def _spoken(text: str, start: int, style: Style, *, pause_marks: bool) -> Iterator[Passage]:
    if said := text.strip():
        yield _passage(said, start + text.index(said), style, pause_marks=pause_marks)


def _passage(text: str, start: int, style: Style, *, pause_marks: bool) -> Passage:
    return Passage(
        text, style, boundary=Boundary.SENTENCE, has_pause_marks=pause_marks, start=start
    )
