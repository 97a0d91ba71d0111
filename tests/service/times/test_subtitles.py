"""Subtitles that players show right; an independent reading of both formats checks each."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace

from qwen_tts_api.service.times.cues import LINE_COLUMNS, LONGEST_S, columns, make_cues
from qwen_tts_api.service.times.subtitles import to_srt, to_vtt
from qwen_tts_api.service.times.timed import TimedSegment, TimedWord, Times
from qwen_tts_api.service.times.words import split_words
from tests.rows import for_each

Shown = list[tuple[float, float, str]]


def timed(text: str, start_s: float, letter_s: float = 0.07, pause_s: float = 0.0) -> TimedSegment:
    words, now_s = [], start_s
    for word in split_words(text):
        end_s = now_s + letter_s * (word.end - word.start)
        spaced = text[word.end : word.end + 1].isspace()
        words.append(TimedWord(text[word.start : word.end], now_s, end_s, spaced))
        now_s = end_s + pause_s
    return TimedSegment(text, start_s, words[-1].end_s, tuple(words), estimated=True)


def recording(*texts: str, letter_s: float = 0.07, pause_s: float = 0.4) -> Times:
    segments: list[TimedSegment] = []
    for text in texts:
        start_s = segments[-1].end_s + pause_s if segments else 0.1
        segments.append(timed(text, start_s, letter_s))
    return Times(tuple(segments), segments[-1].end_s + 0.2)


def read_srt(text: str) -> Shown:
    """Read SRT strictly: a number, a line of times, text, a blank line."""
    shown = []
    blocks = text.split("\r\n\r\n")
    assert blocks.pop() == ""
    for number, block in enumerate(blocks, 1):
        index, clock, *lines = block.split("\r\n")
        assert index == str(number)
        match = re.fullmatch(r"(\S+) --> (\S+)", clock)
        assert match is not None
        shown.append((_seconds(match[1], ","), _seconds(match[2], ","), "\n".join(lines)))
        assert 1 <= len(lines) <= 2
    return shown


def read_vtt(text: str) -> Shown:
    header, *blocks = text.split("\n\n")
    assert header == "WEBVTT"
    shown = []
    for block in blocks:
        clock, *lines = block.rstrip("\n").split("\n")
        start, end = clock.split(" --> ")
        words = "\n".join(lines).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        shown.append((_seconds(start, "."), _seconds(end, "."), words))
    return shown


def _seconds(clock: str, separator: str) -> float:
    match = re.fullmatch(rf"(\d\d+):(\d\d):(\d\d){re.escape(separator)}(\d\d\d)", clock)
    assert match is not None, clock
    hours, minutes, seconds, milliseconds = map(int, match.groups())
    assert minutes < 60
    assert seconds < 60
    return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000


SENTENCE = "She opened the window, and the cold air came in from the hills behind the house. "
TEXTS = {
    "one": ["Hello."],
    "short": ["No.", "Yes!", "Why?"],
    "long": [SENTENCE * 4, "Then nothing, for a long time."],
    "chinese": ["北京是中国的首都，有两千多万人口。" * 4, "上海更大。"],
    "arabic": ["ذهبنا إلى السوق، ثم عدنا إلى البيت قبل أن يحل الظلام على المدينة القديمة. " * 2],
    "link": ["See https://example.org/" + "a" * 190 + " for more."],
    "blank lines": ["One line.\n\n\n\nAnother  line\n1\n00:00:01,000"],
    "marks": ["a --> b, a <b>c</b> & d < e; {\\an8}x"],
}


@for_each("name", TEXTS)
@for_each("letter_s", [0.0, 0.02, 0.07, 0.4])
def test_cues_are_in_order_and_can_be_read(name: str, letter_s: float) -> None:
    times = recording(*TEXTS[name], letter_s=letter_s)
    shown = read_srt(to_srt(times))
    assert [each[:2] for each in shown] == [each[:2] for each in read_vtt(to_vtt(times))]
    marks = [mark for start, end, _ in shown for mark in (start, end)]
    assert marks == sorted(marks)
    assert marks[-1] <= times.duration_s
    for start, end, text in shown:
        assert end > start
        assert text.strip() == text != ""
        assert all(0 < columns(line) <= LINE_COLUMNS for line in text.split("\n"))
    if letter_s:
        squashed = "".join(text for _, _, text in read_vtt(to_vtt(times)))
        assert "".join(squashed.split()) == "".join("".join(TEXTS[name]).split())


def test_a_cue_ends_with_a_sentence_or_a_clause_where_it_can() -> None:
    ends = [text[-1] for _, _, text in read_srt(to_srt(recording(SENTENCE * 3)))]
    assert set(ends) <= {".", ","}


def test_cues_last_one_to_seven_seconds() -> None:
    cues = make_cues(recording(SENTENCE * 6, "Yes.", "No, not yet.", pause_s=1.2))
    assert all(1000 <= cue.end_ms - cue.start_ms <= 1000 * LONGEST_S for cue in cues[:-1])


def test_a_cue_is_shown_when_its_words_are_heard() -> None:
    times = recording(SENTENCE, "And then some more.")
    cues = make_cues(times)
    starts = {round(1000 * word.start_s) for each in times.segments for word in each.words}
    assert {cue.start_ms for cue in cues} <= starts
    assert cues[0].start_ms == 100


def test_two_lines_are_about_as_long() -> None:
    ((_, _, text),) = read_srt(
        to_srt(recording("This is a text that has to be on two lines here."))
    )
    first, second = text.split("\n")
    assert abs(len(first) - len(second)) < 10


def test_times_of_hours() -> None:
    times = Times((timed("At last.", 36_000.5),), 36_010)
    assert to_srt(times).startswith("1\r\n10:00:00,500 --> 10:00:01,500\r\nAt last.\r\n")
    assert to_vtt(times).startswith("WEBVTT\n\n10:00:00.500 --> 10:00:01.500\n")


def test_who_speaks_is_a_tag_of_vtt() -> None:
    times = recording("Hello there.")
    named = Times((replace(times.segments[0], speaker="R & <D>"),), times.duration_s)
    assert "\n<v R &amp; &lt;D&gt;>Hello there.\n" in to_vtt(named)
    assert to_srt(named) == to_srt(times)


def test_no_words_are_no_cues() -> None:
    assert to_srt(Times((), 0.2)) == ""
    assert to_vtt(Times((), 0.2)) == "WEBVTT\n"


def test_nothing_in_a_text_is_taken_for_times_or_tags() -> None:
    """SRT has no escapes: what players would act on is another sign."""
    srt = to_srt(recording("a --> b <i>c</i> {\\an8}d 1 < 2"))
    assert srt.count("-->") == 1
    assert "<i" not in srt
    assert "{\\" not in srt
    assert "1 < 2" in srt
    vtt = to_vtt(recording("a --> b <i>c</i> &amp; 1 < 2"))
    assert vtt.count("-->") == 1
    assert "&lt;i>" not in vtt
    assert "&lt;i&gt;c&lt;/i&gt; &amp;amp; 1 &lt; 2" in vtt


def test_any_text_gives_subtitles() -> None:
    random.seed(1)
    pieces = ["word", "verylongword" * 5, "京", "、", "。", "Ja!", "\n", "—", "-->", "é", "🙂", "ก"]
    for _ in range(60):
        text = " ".join(random.choices(pieces, k=random.randint(1, 40))).strip() or "x"
        times = recording(text, "Next.", letter_s=random.choice([0.0, 0.01, 0.1]))
        cues = make_cues(times)
        assert all(cue.start_ms < cue.end_ms for cue in cues)
        assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(cues))
        read_vtt(to_vtt(times))
        read_srt(to_srt(times))
