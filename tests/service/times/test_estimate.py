"""Words in proportion to their letters, between silences that fall on the text's stops."""

from __future__ import annotations

import itertools
import time

import pytest

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.times.activity import Activity
from qwen_tts_api.service.times.estimate import estimate, expected
from qwen_tts_api.service.times.words import split_words


def activity(*seconds: float) -> Activity:
    """Return what is heard of silence, speech, silence and so on."""
    marks = [round(SAMPLE_RATE_HZ * mark) for mark in itertools.accumulate(seconds)]
    pauses = zip(marks[1:-1:2], marks[2:-1:2], strict=False)
    return Activity(marks[0], marks[-1], tuple(pauses))


def spoken(text: str, heard: Activity) -> dict[str, tuple[float, float]]:
    """Return when each word is spoken, in seconds."""
    words = split_words(text)
    spans = estimate(words, heard)
    return {
        text[word.start : word.end]: (start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ)
        for word, (start, end) in zip(words, spans, strict=True)
    }


def test_words_share_speech_by_their_letters() -> None:
    said = spoken("abcd efghijklm", activity(0.5, 2.0))
    assert said["abcd"] == pytest.approx((0.5, 0.5 + 2 * 4.5 / 14))
    assert said["efghijklm"] == pytest.approx((0.5 + 2 * 4.5 / 14, 2.5))


def test_a_silence_falls_on_the_stop_near_it() -> None:
    """Where the letters alone would have the stop half a second later."""
    said = spoken("One two three, four five six seven.", activity(0, 0.8, 0.4, 2.0))
    assert said["three,"][1] == pytest.approx(0.8)
    assert said["four"][0] == pytest.approx(1.2)


def test_a_silence_that_no_stop_explains_falls_between_words() -> None:
    said = spoken("Several words without any stop follow", activity(0, 1.0, 0.5, 1.5))
    assert 1.0 in [round(end, 3) for _, end in said.values()]
    assert 1.5 in [round(start, 3) for start, _ in said.values()]


def test_short_silences_in_words_are_part_of_them() -> None:
    said = spoken("Unbelievable, incomprehensible.", activity(0, 0.4, 0.1, 0.5, 0.4, 1.0))
    assert said["Unbelievable,"] == pytest.approx((0, 1.0))
    assert said["incomprehensible."][0] == pytest.approx(1.4)


@pytest.mark.parametrize("seconds", [(0, 3.0), (0.2, 1.0, 0.3, 2.0, 0.2, 0.1, 0.5, 4.0), (0, 0.01)])
def test_words_follow_each_other_within_speech(seconds: tuple[float, ...]) -> None:
    heard = activity(*seconds)
    for text in ("A", "A, b. C! d e f", "北京，上海。", "..."):
        words = split_words(text)
        spans = estimate(words, heard)
        marks = [mark for span in spans for mark in span]
        assert marks == sorted(marks)
        assert marks[0] == pytest.approx(heard.begin)
        assert marks[-1] == pytest.approx(heard.end)


def test_a_text_of_minutes_is_estimated_at_once() -> None:
    """The work grows with the text, not with its square."""
    text = (
        "It was late, and nobody came. We waited for a long time; then, at last, she called. " * 60
    )
    seconds = [0.0, *itertools.chain.from_iterable((1.7, 0.3) for _ in range(200)), 2.0]
    began = time.monotonic()
    assert len(estimate(split_words(text), activity(*seconds))) == 60 * 17
    assert time.monotonic() - began < 10


def test_what_is_expected_keeps_a_pace() -> None:
    assert expected(split_words("abc de"), 100) == [(0, 350), (350, 600)]
