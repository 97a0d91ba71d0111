"""Marks of pauses in plain text: what they say, and what is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.service.text.normalize import normalize_text
from qwen_tts_api.service.text.script.marks import MarkKinds, find_marks, split_at_marks
from qwen_tts_api.service.text.script.passage import Passage
from qwen_tts_api.service.text.verbalize.edits import apply
from tests.rows import for_each


def parts(text: str, *, tags: bool = False) -> list[tuple[str, float | None]]:
    """Return the parts of a text with their pauses, normalized."""
    passage = Passage(text, has_pause_marks=not tags, has_break_tags=tags)
    signs, pauses_s = find_marks(text, MarkKinds(pauses=not tags, tags=tags))
    normalized = replace(passage, text=normalize_text(apply(text, signs)).text)
    return [(part.text, part.pause_s) for part in split_at_marks(normalized, pauses_s)]


@for_each(
    ("mark", "seconds"),
    [
        ("[pause]", 0.75),
        ("[PAUSE]", 0.75),
        ("[pause 1.5s]", 1.5),
        ("[pause  300ms ]", 0.3),
        ("[Pause 2S]", 2),
        ("[pause 10s]", 10),
        ("[pause 0s]", 0),
    ],
)
def test_a_mark_is_a_pause(mark: str, seconds: float) -> None:
    assert parts(f"Hello {mark}you.") == [("Hello", seconds), ("you.", None)]


@for_each("text", ["[Music]", "[paused]", "[pauses 1s]", "pause 1s", "[[pause", "pause]"])
def test_what_is_no_mark_is_text(text: str) -> None:
    assert parts(text) == [(text, None)]


@for_each(
    ("mark", "message"),
    [
        ("[pause 1,5s]", "'1,5s' is no time, which is written 1.5s or 300ms"),
        ("[pause 2]", "'2' is no time"),
        ("[pause button]", "'button' is no time"),
        ("[pause: 2s]", "': 2s' is no time"),
        ("[pause 11s]", "'11s' is longer than 10s, which one pause may be"),
    ],
)
def test_a_mark_that_is_not_understood_is_refused(mark: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parts(f"Hello {mark} you.")
    assert raised.value.message.startswith(f"In {mark!r} {message}")


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ('<break time="1.5s" />', 1.5),
        ("<break time='1s'/>", 1),
        ("<BREAK time = '300ms'>", 0.3),
        ("<break/>", 0.75),
    ],
)
def test_a_tag_is_a_pause_in_text_that_is_no_ssml(tag: str, seconds: float) -> None:
    """As ElevenLabs' clients write it."""
    assert parts(f"a & b {tag} <i>c</i>", tags=True) == [("a & b", seconds), ("c", None)]
    with pytest.raises(InvalidRequest, match="longer than 10s"):
        parts('a<break time="11s"/>b', tags=True)


def test_a_text_is_normalized_with_its_marks() -> None:
    """Emphasis reaches across one, what is taken out takes its marks along, nothing is a link."""
    text = (
        "**Wait [pause 1s] for it**[pause 2s][pause 3s](now).\n\n```\n[pause 4s]\n```\n[pause]End"
    )
    assert parts(text) == [("Wait", 1), ("for it", 2), ("", 3), ("(now).", 0.75), ("End", None)]
    assert parts("a \U0001d13d1\U0001d13d b [pause 1s]") == [("a  1  b", 1), ("", None)]


def test_marks_are_bounded() -> None:
    with pytest.raises(InvalidRequest, match="more than 5000 passages"):
        parts("a[pause 1ms]" * 5000)
