"""Turns: as a list, or as lines that begin with a name in brackets."""

from __future__ import annotations

import pytest

from qwen_tts_api.errors import InvalidRequest, TextTooLong
from qwen_tts_api.service.text.script.turns import Turn, read_turns, split_at_speakers


def turns(text: str, *, pause_marks: bool = False) -> list[tuple[str, str, str]]:
    script = split_at_speakers(text, pause_marks=pause_marks)
    return [(each.style.speaker, each.text, each.style.place) for each in script.passages]


def test_a_list_is_a_passage_each() -> None:
    """With a pause as between sentences, and a place for errors."""
    script = read_turns([Turn("Hello.", "Ryan", "glad", "en"), Turn("Yes?")], 100, pause_marks=True)
    first, second = script.passages
    style = first.style
    assert (style.speaker, style.instruct, style.language) == ("Ryan", "glad", "en")
    assert (style.place, second.style.place) == ("Turn 1", "Turn 2")
    assert {each.boundary.name for each in script.passages} == {"SENTENCE"}
    assert {each.has_pause_marks for each in script.passages} == {True}


def test_a_list_is_bounded() -> None:
    with pytest.raises(TextTooLong, match="have 12 characters together"):
        read_turns([Turn("Hello.")] * 2, 11, pause_marks=False)
    with pytest.raises(InvalidRequest, match="more than 5000 passages"):
        read_turns([Turn("a")] * 5001, 10_000, pause_marks=False)


def test_lines_begin_with_a_speaker() -> None:
    """Who goes on until the next one; what is before the first is the request's own voice's."""
    text = "Once.\n[Ryan] Hello.\nHow are you?\n\n  [Anna Müller]: Fine.\n[Ryan]\nGood."
    assert turns(text) == [
        ("", "Once.", ""),
        ("Ryan", "Hello.\nHow are you?", "Line 2"),
        ("Anna Müller", "Fine.", "Line 5"),
        ("Ryan", "Good.", "Line 6"),
    ]


def test_a_mark_of_a_pause_is_no_speaker() -> None:
    """Where it is one; else it is a name like any other."""
    text = "[Ryan] Hello.\n[pause 1s] Yes."
    assert turns(text, pause_marks=True) == [("Ryan", "Hello.\n[pause 1s] Yes.", "Line 1")]
    assert turns(text)[1] == ("pause 1s", "Yes.", "Line 2")


def test_brackets_inside_of_a_line_are_text() -> None:
    assert turns("[Ryan] See [1] and [Anna] there.") == [
        ("Ryan", "See [1] and [Anna] there.", "Line 1")
    ]
