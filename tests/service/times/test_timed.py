"""The words that a client wrote have the times of what is spoken for them."""

from __future__ import annotations

import html
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.routes.apis.elevenlabs.alignment import Aligner, Alignments
from qwen_tts_api.service.live.segment import LiveLimits, LiveSegment
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.normalize import has_words, normalize_text
from qwen_tts_api.service.text.script.passage import Passage, Script
from qwen_tts_api.service.text.script.script import prepare_script
from qwen_tts_api.service.text.verbalize.pronunciations import Pronunciations
from qwen_tts_api.service.text.verbalize.wording import Wording
from qwen_tts_api.service.times.timed import SegmentText, TimedSegment
from qwen_tts_api.service.times.timeline import Timeline
from tests.rows import for_each
from tests.service.times.audio import speech

RESPELLED = Pronunciations({"New York": "noo york", "York": "jorvik", "SQL": "sequel"})
WORDING = Wording("english", RESPELLED, full=True, letters_only=False)
PARTS = [
    *("I paid", "$5", "3 May 1984", "5-10", "3.14", "1,234.5 km", "Dr. Smith", "e.g.", "½", "№ 5"),
    *("**bold**", "[a link](http://a.b/link)", "<b>tag</b>", "&amp;", "`code`", "R&D", "SQL's"),
    *(
        "😀",
        "👨\u200d👩\u200d👧",
        "\u200b",
        "cafe\u0301",
        "\ufb01ne",
        "一九84年",
        "你好",
        "New York",
    ),
    *("\n\n", "\n- ", ".", "!", ""),
    *("R&amp;", "&amp;amp;", "&#x41;", "&nbsp;", "&unknown;", "a&nbsp;b", "b~~s~~x", "tab\ttab"),
    *("1\ufe0f\u20e3", "\u3000", "\x00", "\u202eabc\u202c", "so\u00adft", "\u1100\u1161", "x" * 90),
    *("\U0001f1e9\U0001f1ea", "\u0645\u0631\u062d\u0628\u0627", "e\u0301\u0302", "\u2026\u2014"),
]
HIDDEN = ("(http://a.b/link)", "<b>", "</b>", "&nbsp;")
"""What of these nobody sees."""
TEXTS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=9).map(" ".join)


def said_of(text: str, wording: Wording = WORDING) -> SegmentText:
    """Return what is spoken of a text, as of a request."""
    script, _ = prepare_script(Script([Passage(text)]), 10**6, normalize=True, timed=True)
    (passage,) = script.passages
    assert passage.written is not None
    worded, _, alignment = wording.word_aligned(passage.text)
    written: Written = passage.written.said(alignment).stripped(worded)
    return SegmentText(worded.strip(), written=written)


def heard(said: SegmentText) -> TimedSegment:
    """Return when it is heard in two seconds of speech."""
    timeline = Timeline(Output(FORMATS["pcm"], 24_000))
    timeline.write(speech(0.1, 2.0, 0.1))
    return timeline.end_segment(said, 0)


@pytest.mark.parametrize(
    ("text", "word", "spoken"),
    [
        ("I paid $5 today.", "$5", "five dollars"),
        ("It is **$5**, or so.", "$5,", "five dollars,"),
        ("From 5-10 people.", "5-10", "five to ten"),
        ("He is Dr. Smith.", "Dr.", "Doctor"),
        ("In New York.", "York.", "noo york."),
        ("Use SQL's joins.", "SQL's", "sequel's"),
        ("About 3.14 of it.", "3.14", "three point one four"),
    ],
)
def test_a_word_is_heard_while_its_words_are(text: str, word: str, spoken: str) -> None:
    segment = heard(said_of(text))
    (found,) = (each for each in segment.words if each.text == word)
    assert found.spoken == spoken
    assert found.place is not None
    assert text[slice(*found.place)].replace("*", "") == word
    if word != "York.":  # which shares the time of both
        words = segment.said.words
        names = [each.text for each in words]
        first = names.index(spoken.split()[0])
        assert found.start_s == pytest.approx(words[first].start_s)
        assert found.end_s == pytest.approx(words[first + len(spoken.split()) - 1].end_s)


def test_chinese_digits_are_one_word() -> None:
    wording = Wording("chinese", Pronunciations({}), full=True, letters_only=False)
    words = heard(said_of("我1984年2个。", wording)).words
    assert [(each.text, each.spoken) for each in words] == [
        ("我", ""),
        ("1984", "一九八四"),
        ("年", ""),
        ("2", "两"),
        ("个。", ""),
    ]


@settings(max_examples=25, deadline=None)
@given(TEXTS)
@example("\n- 3 May 1984 [a link](http://a.b/link) New York, SQL")
@example("\u200b [a link](http://a.b/link) 😀 [a link](http://a.b/link)")
@example(" cafe\u0301 \ufb01ne \n\n")
@example("b~~s~~x SQL's SQL's I paid")
def test_the_words_of_any_text(text: str) -> None:
    """They are in order in the text and in the audio, and there is none beside them."""
    if not has_words(normalize_text(text).text):
        return
    segment = heard(said_of(text))
    marks = [mark for word in segment.words for mark in (word.start_s, word.end_s)]
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == (segment.start_s, segment.end_s)
    assert segment.end_s <= 2.2
    places = [word.place for word in segment.words if word.place]
    assert len(places) == len(segment.words)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert places[0][0] >= 0
    assert places[-1][1] <= len(text)
    assert "".join("".join(word.text.split()) for word in segment.words) == "".join(
        segment.text.split()
    )
    rest, at = "", 0
    for word, (start, end) in zip(segment.words, places, strict=True):
        seen = unicodedata.normalize("NFKC", html.unescape(text[start:end]))
        assert {char for char in word.text if char.isalnum()} <= set(seen) | set("½№")
        rest, at = rest + text[at:start], end
    rest += text[at:]
    for hidden in HIDDEN:
        rest = rest.replace(hidden, "")
    assert not any(char.isalnum() for char in rest)


@for_each(
    "words",
    [
        ["R&amp;", "D"],
        ["R&", "&amp;amp;", "&#65;"],
        ["&unknown;", "1\ufe0f\u20e3", "so\u00adft", "Q&amp;A"],
        ["R&D", "tab", "tab"],
        ["\u1100\u1161", "e\u0301\u0302", "b~~s~~x", "b~~s~~x"],
    ],
)
def test_a_word_is_all_that_is_written_of_it(words: list[str]) -> None:
    """However it is written: an entity to its semicolon; an emoji between words is of neither."""
    text = " \U0001f1e9\U0001f1ea ".join(words)
    places = [word.place for word in heard(said_of(text)).words]
    assert [text[slice(*place)] for place in places if place] == words


@settings(max_examples=20, deadline=None)
@given(TEXTS, st.integers(1, 9), st.booleans())
def test_every_character_of_a_text_that_arrives_is_told_once(
    text: str, size: int, continuous: bool
) -> None:
    limits = LiveLimits(10**6, 10**6, 30, silence_s=60, continuous=continuous, keeps_text=True)
    live = LiveText(limits, normalize=True, wording=WORDING)
    for start in range(0, len(text), size):
        live.append(text[start : start + size])
    live.finish()
    aligner, timeline = Aligner(live.read), Timeline(Output(FORMATS["pcm"], 24_000))
    told, origin, spoken = [], 0, []
    while (segment := live.next()) is not None:
        assert isinstance(segment, LiveSegment)
        timeline.write(speech(0.1, 0.5, 0.1))
        timed = timeline.end_segment(segment.said, origin)
        assert timed.said.text == segment.text.strip()
        spoken.append(timed.said.text)
        aligner.end(timed)
        told.append(aligner.take())
        origin += 16_800
    aligner.finish(live.num_chars, origin / 24)
    whole = Alignments.join([*told, aligner.take()])
    assert "".join(whole.written.characters) == text
    assert "".join(whole.spoken.characters) == " ".join(spoken)
    for line in whole:
        assert line.ends_ms == sorted(line.ends_ms)
        assert line.starts_ms[1:] == line.ends_ms[:-1]
        assert not line or line.ends_ms[-1] <= origin / 24
