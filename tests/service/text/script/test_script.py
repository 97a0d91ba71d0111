"""A script is prepared passage by passage; what has no words leaves its pause behind."""

from __future__ import annotations

import pytest

from qwen_tts_api.errors import NothingToSay, TextRequired, TextTooLong
from qwen_tts_api.service.text.script.passage import Passage, Script, Style
from qwen_tts_api.service.text.script.script import prepare_script
from qwen_tts_api.service.text.sentences import Boundary
from tests.rows import for_each


def prepare(*passages: Passage, lead_s: float = 0.0) -> Script:
    return prepare_script(Script(passages, lead_s), 100, normalize=True)[0]


def test_a_plain_text_is_one_passage() -> None:
    """Normalized, and with the changes that were counted."""
    script, text = prepare_script(Script([Passage(" **Hello.** ")]), 100, normalize=True)
    assert script == Script((Passage("Hello."),))
    assert (text.text, text.changes) == ("Hello.", {"markup": 1})
    assert not script.is_timed


def test_each_passage_is_normalized() -> None:
    """And all that is said is one text, with all changes."""
    script, text = prepare_script(
        Script([Passage("*One* 😀.", pause_s=1.0), Passage("*Two*.", style=Style("a"))]),
        100,
        normalize=True,
    )
    assert script.passages == [Passage("One.", pause_s=1.0), Passage("Two.", style=Style("a"))]
    assert text.text == "One. Two."
    assert text.changes == {"markup": 2, "emoji": 1}


def test_a_passage_without_words_leaves_its_pause() -> None:
    """It is added to the pause before, or to that of the beginning."""
    script = prepare(
        Passage("...", pause_s=0.5),
        Passage("One", pause_s=1.0),
        Passage("", pause_s=2.0),
        Passage("!", pause_s=4.0),
        Passage("Two", boundary=Boundary.WORD),
        Passage("?", boundary=Boundary.SENTENCE),
        lead_s=0.25,
    )
    assert script.lead_s == 0.75
    one, two = script.passages
    assert (one.pause_s, two.pause_s, two.boundary) == (7.0, None, Boundary.SENTENCE)


def test_a_text_of_pauses_is_a_silence_of_their_length() -> None:
    assert prepare(Passage("", pause_s=1.0), Passage("...", pause_s=1.5)) == Script(
        [Passage("")], 2.5
    )


@for_each(("text", "error"), [("", TextRequired), ("...", NothingToSay), ("x" * 101, TextTooLong)])
@for_each("num", [1, 2])
def test_what_is_refused_of_a_text_is_refused_of_passages(
    text: str, error: type[Exception], num: int
) -> None:
    with pytest.raises(error):
        prepare(*[Passage(text, style=Style(speed=2))] * num)
