"""Characters and times, without audio."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.apis.elevenlabs.alignment import Aligner, Alignment
from qwen_tts_api.service.times.timed import TimedSegment, TimedWord


def nothing(start: int, end: int) -> str:
    """Return no text."""
    return ""


def timed(text: str, start_s: float, word_s: float, pause_s: float = 0) -> TimedSegment:
    """Return a segment whose words last as long as each other, with pauses between them."""
    words, now_s = [], start_s
    for word in text.split():
        words.append(TimedWord(word, now_s, now_s + word_s, spaced=True))
        now_s += word_s + pause_s
    return TimedSegment(text, start_s, words[-1].end_s, tuple(words), estimated=True)


def test_every_character_is_told_once_in_one_line_of_time() -> None:
    """Whatever was expected before, and however often it was looked at."""
    segments = [timed("Hello, there.", 0.1, 0.4), timed("A", 1.2, 0.3), timed("Then two.", 2, 0.5)]
    for looks in ([], [300.0], [80.0 * number for number in range(60)]):
        aligner, told = Aligner(nothing), []
        for segment in segments:
            expected = timed(segment.text, segment.start_s, 0.35)
            for now_ms in looks:
                aligner.expect(expected, now_ms)
                told.append(aligner.take().spoken)
            aligner.end(segment)
            told.append(aligner.take().spoken)
        whole = Alignment.join(told)
        assert "".join(whole.characters) == "Hello, there. A Then two."
        assert whole.starts_ms[0] == 100
        assert whole.starts_ms[1:] == whole.ends_ms[:-1]
        assert whole.ends_ms == sorted(whole.ends_ms)
        assert whole.ends_ms[-1] == pytest.approx(3000)


def test_white_space_has_the_time_between_words() -> None:
    aligner = Aligner(nothing)
    aligner.end(timed("ab\ncd", 0, 0.2, pause_s=0.3))
    aligner.end(timed("e", 1, 0.5))
    told = aligner.take().spoken
    assert told.characters == list("ab\ncd e")
    assert told.starts_ms == pytest.approx([0, 100, 200, 500, 600, 700, 1000])
    assert told.ends_ms[-1] == pytest.approx(1500)


def test_nothing_is_told_before_it_can_be_heard() -> None:
    """The last character, behind which the text may grow, waits for the segment's end."""
    aligner = Aligner(nothing)
    aligner.expect(timed("abcd efgh", 0, 0.4), 250)
    assert aligner.take().spoken.characters == ["a", "b"]
    aligner.expect(timed("abcd efgh", 0, 0.4), 100_000)
    assert "".join(aligner.take().spoken.characters) == "cd efg"
    aligner.end(timed("abcd efgh", 0, 0.5))
    assert aligner.take().spoken.characters == ["h"]


def test_what_was_told_too_early_is_not_told_again() -> None:
    """What follows begins where it ended, and catches up with the times that are known."""
    aligner = Aligner(nothing)
    aligner.expect(timed("abcd efgh", 0, 0.4), 800)
    aligner.end(timed("abcd efgh", 0, 0.1))
    aligner.end(timed("ij", 2, 0.2))
    told = aligner.take().spoken
    assert "".join(told.characters) == "abcd efgh ij"
    assert told.ends_ms == sorted(told.ends_ms)
    assert told.starts_ms[-2:] == [2000, 2100]


def test_audio_without_text_is_no_alignment() -> None:
    assert not any(Aligner(nothing).take())
