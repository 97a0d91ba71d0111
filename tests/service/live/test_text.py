"""Text between two threads: bounds, groups, flushes, silence."""

from __future__ import annotations

import threading

import pytest

from qwen_tts_api.errors import InvalidRequest, TextTooLong, UnspeakableText
from qwen_tts_api.service.live.segment import Flush, LiveLimits, LiveSegment
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.text.script.marks import MarkKinds
from qwen_tts_api.service.text.stable_text import StatedPause
from tests.patience import PATIENCE_S


def text_of(
    *, max_chars: int = 4096, pending: int = 4096, letters: int = 400, silence_s: float = 60,
    whole: bool = False, normalize: bool = True,
) -> LiveText:  # fmt: skip
    return LiveText(LiveLimits(max_chars, pending, letters, silence_s, whole), normalize=normalize)


def items(text: LiveText) -> list[str | int]:
    """Return what is given away until its end: segments, and the numbers of flushes."""
    given: list[str | int] = []
    while (item := text.next()) is not None:
        assert isinstance(item, LiveSegment | Flush)
        given.append(item.number if isinstance(item, Flush) else item.text)
    return given


def test_what_is_there_is_one_group() -> None:
    """As long as it fits in a segment."""
    text = text_of(letters=50)
    text.append("One sentence here. " * 5)
    text.finish()
    assert items(text) == [" ".join(["One sentence here."] * 2)] * 2 + ["One sentence here."]


def test_an_offset_is_of_what_was_appended() -> None:
    text = text_of(letters=20)
    text.append("**First** one. Second one. ")
    text.finish()
    first, second = text.next(), text.next()
    assert isinstance(first, LiveSegment)
    assert isinstance(second, LiveSegment)
    assert (first.text, first.start, first.end) == ("First one.", 0, 14)
    assert (second.text, second.start) == ("Second one.", 14)


def test_the_next_grows_until_it_is_wanted() -> None:
    """While the current one is computed; not where it is full, flushed, or the text over."""
    text = text_of(letters=40)
    text.append("The first one. A")
    assert text.next_ahead(hurry=False) is None
    text.append("nother here. T")
    assert text.next_ahead(hurry=False) is None
    grown = text.next_ahead(hurry=True)
    assert grown is not None
    assert grown.text == "The first one. Another here."
    text.append("his is long, and then full. Too long for it. Y")
    full = text.next_ahead(hurry=False)
    assert full is not None
    text.append("es")
    text.flush()
    flushed = text.next_ahead(hurry=False)
    assert flushed is not None
    assert flushed.text.endswith("Yes")
    assert text.next_ahead(hurry=True) is None  # a flush is told in its place
    assert text.next() == Flush(1)


def test_a_flush_is_a_boundary_and_is_told() -> None:
    """Also where there was nothing to say before it."""
    text = text_of()
    text.append("Half a sen")
    assert text.flush() == 1
    text.append("😀")
    assert text.flush() == 2
    text.append("tence.")
    text.finish()
    assert items(text) == ["Half a sen", 1, 2, "tence."]


def test_looking_ahead_loses_no_flush_nor_pause() -> None:
    """Which is behind text that nobody says, and in its place when it comes."""
    limits = LiveLimits(4096, 4096, 400, 60)
    text = LiveText(limits, normalize=True, marks=MarkKinds(pauses=True))
    text.append("... ")
    text.flush()
    assert text.next_ahead(hurry=True) is None
    text.append("... [pause 1s] Yes.")
    text.flush()
    assert text.next() == Flush(1)
    assert text.next_ahead(hurry=True) is None
    pause = text.next()
    assert isinstance(pause, StatedPause)
    assert pause.seconds == 1
    text.finish()
    assert items(text) == ["Yes.", 2]


def test_words_are_spoken_with_what_has_none() -> None:
    text = text_of()
    text.append("真的吗？")
    first = text.next()
    assert isinstance(first, LiveSegment)
    text.append("？ 😀 是。")
    text.finish()
    assert [first.text, *items(text)] == ["真的吗？", "？ 是。"]
    silent = text_of()
    silent.append("😀 ... 😀")
    silent.finish()
    assert items(silent) == []
    assert silent.had_text
    raw = text_of(normalize=False)
    raw.append("😀")
    raw.finish()
    assert items(raw) == ["😀"]


def test_halves_of_a_character_meet() -> None:
    text = text_of(normalize=False)
    for half in "\ud83d", "\ude00 and ", "x":
        text.append(half)
    assert text.num_chars == len("😀 and x")
    for wrong in ("\ude00", "a\ud83db"):
        with pytest.raises(UnspeakableText, match="half of a surrogate pair"):
            text.append(wrong)
    text.append("\ud83d")
    with pytest.raises(UnspeakableText, match="ends with half"):
        text.finish()
    assert items(text) == ["😀 and x"]


def test_a_text_has_bounds() -> None:
    """All of it, and what waits; what is refused leaves the rest as it was."""
    text = text_of(max_chars=30, pending=20)
    text.append("Fifteen chars. ")
    with pytest.raises(TextTooLong, match=r"21 characters would wait.*PENDING_CHARS allows 20"):
        text.append("sixsix")
    text.append("Five.")
    text.flush()
    segment = text.next()
    assert isinstance(segment, LiveSegment)
    assert text.num_pending == 0
    with pytest.raises(TextTooLong, match=r"would have 31 characters.*MAX_TEXT_CHARS allows 30"):
        text.append("x" * 11)
    text.append("x" * 10)
    text.finish()
    assert items(text) == [1, "x" * 10]
    with pytest.raises(InvalidRequest, match="was finished"):
        text.append("more")


def test_what_waits_can_be_dropped() -> None:
    text = text_of()
    text.append("One. Two and")
    text.clear()
    assert text.num_pending == 0
    text.append(" three.")
    text.finish()
    assert items(text) == ["three."]


def test_silence_ends_a_text() -> None:
    """With what was there, although its sentence has no end."""
    text = text_of(silence_s=0.05)
    text.append("And then")
    assert items(text) == ["And then"]
    with pytest.raises(InvalidRequest):
        text.append("more")


def test_a_voice_that_is_designed_waits_for_the_whole() -> None:
    """Each segment has a voice of its own."""
    text = text_of(whole=True)
    text.append("One sentence. And another. And")
    assert text.next_ahead(hurry=True) is None
    text.finish()
    assert items(text) == ["One sentence. And another. And"]


def test_closing_wakes_whoever_waits() -> None:
    text = text_of()
    given: list[list[str | int]] = []
    waiting = threading.Thread(target=lambda: given.append(items(text)))
    waiting.start()
    text.append("Not spoken")
    text.close()
    waiting.join(PATIENCE_S)
    assert given == [[]]
