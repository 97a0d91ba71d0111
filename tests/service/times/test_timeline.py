"""Times are those of the file, however it was made: held by listening to it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.checkpoints.nano import SPEAKING_FOLDER
from qwen_tts_api.checkpoints.token_timing import TokenTiming
from qwen_tts_api.service.synthesis.concatenate import Concatenator
from qwen_tts_api.service.times.timed import SegmentText, TimedSegment, Times
from qwen_tts_api.service.times.timeline import Timeline
from tests.audio.decoding import RAW_SUBTYPES
from tests.rows import for_each
from tests.service.times.audio import Samples, sounds, speech

TEXTS = ("First, one.", "Then the second one.", "Last.")
SEGMENTS = (speech(0.2, 0.5, 0.15, 0.4, 0.6), speech(0.5, 0.9, 0.05), speech(0.03, 0.5, 0.4))
PCM = Output(FORMATS["pcm"], 24_000)


def made(output: Output, block: int, lead_s: float = 0) -> tuple[bytes, Times]:
    """Return a file of the segments, and its times."""
    concatenator = Concatenator(len(SEGMENTS), trim_beginning=bool(lead_s))
    timeline, pipeline = Timeline(output), output.pipeline(24_000, stream=False)
    data = b"".join(map(pipeline.encode, concatenator.silence(lead_s)))
    for number, (text, segment) in enumerate(zip(TEXTS, SEGMENTS, strict=True)):
        timeline.begin_segment(SegmentText(text), concatenator.origin)
        for start in range(0, len(segment), block):
            timeline.write(segment[start : start + block])
            data += pipeline.encode(concatenator.write(segment[start : start + block]))
        timeline.end_segment(SegmentText(text), concatenator.origin)
        if number < len(SEGMENTS) - 1:
            data += pipeline.encode(concatenator.end_segment(0.4))
    data += pipeline.finish()
    return data, timeline.times(pipeline.num_samples / output.sample_rate_hz)


def decoded(data: bytes, output: Output) -> Any:
    raw = RAW_SUBTYPES.get(output.audio_format.name)
    options = {"samplerate": output.sample_rate_hz, "channels": 1, "format": "RAW", "subtype": raw}
    return soundfile.read(io.BytesIO(data), **(options if raw else {}))[0]


@for_each("speed", [1.0, 0.5, 1.7])
@for_each("name", FORMATS)
def test_segments_are_where_they_are_heard(name: str, speed: float) -> None:
    """To a window and, at another speed, what its steps may move: 25 ms."""
    audio_format = FORMATS[name]
    for rate_hz in audio_format.sample_rates_hz[-1:]:
        output = Output(audio_format, rate_hz, speed)
        data, times = made(output, 1920)
        samples = decoded(data, output)
        heard = sounds(samples, rate_hz, 0.35 / speed)
        told = [[segment.start_s, segment.end_s] for segment in times.segments]
        tolerance = 0.011 / speed + (0 if speed == 1 else 0.025)
        assert np.array(told) == pytest.approx(np.array(heard), abs=tolerance)
        assert told[-1][-1] <= times.duration_s <= len(samples) / rate_hz + 0.001


def test_a_silent_segment_is_told_at_a_point_between_the_others() -> None:
    """The concatenator leaves it out."""
    concatenator, timeline = Concatenator(3, trim_end=True), Timeline(PCM)
    for samples in (SEGMENTS[0], np.zeros(12_000, np.int16), SEGMENTS[1]):
        timeline.write(samples)
        concatenator.write(samples)
        timeline.end_segment(
            SegmentText("Two words."), concatenator.origin, is_dropped=concatenator.is_dropped
        )
        concatenator.release()
        list(concatenator.silence(0.3))
    first, silent, last = timeline.segments
    assert first.end_s < silent.start_s == silent.end_s < last.start_s
    assert {(word.start_s, word.end_s) for word in silent.words} == {(silent.start_s, silent.end_s)}
    assert last.start_s - first.end_s == pytest.approx(0.6, abs=0.07)


def test_a_stated_pause_before_the_first_word_is_counted() -> None:
    data, times = made(PCM, 480, lead_s=1.5)
    heard = sounds(decoded(data, PCM), 24_000, 0.35)
    assert times.segments[0].start_s == pytest.approx(heard[0][0], abs=0.011)
    assert times.segments[0].start_s > 1.5


@pytest.mark.parametrize("block", [7, 240, 5000, 10**6])
def test_times_do_not_depend_on_the_cut(block: int) -> None:
    assert made(PCM, block)[1] == made(PCM, 1920)[1]


def test_words_fill_their_segment() -> None:
    for segment in made(PCM, 1920)[1].segments:
        marks = [mark for word in segment.words for mark in (word.start_s, word.end_s)]
        assert marks == sorted(marks)
        assert (marks[0], marks[-1]) == (segment.start_s, segment.end_s)
        assert " ".join(word.text for word in segment.words) == segment.text
        assert segment.estimated


def test_a_word_ends_before_the_silence_of_its_comma() -> None:
    first, second = made(PCM, 1920)[1].segments[0].words
    assert (first.end_s, second.start_s) == pytest.approx((0.7, 0.85), abs=0.011)


TIMING = TokenTiming(SPEAKING_FOLDER, 1.5)
LETTER_S = 0.08


def paced(text: str, samples: Samples, tempo: float = 1.0) -> TimedSegment:
    timeline = Timeline(PCM, TIMING)
    timeline.begin_segment(SegmentText(text, tempo), 0)
    timeline.write(samples)
    expected = timeline.current
    segment = timeline.end_segment(SegmentText(text, tempo), 0)
    assert expected is not None
    inner = [word.start_s for word in segment.words[1:]]
    assert [word.start_s for word in expected.words[1:]] == pytest.approx(inner)
    return segment


def test_the_models_own_pace_is_no_estimate() -> None:
    """A token of the embedded voice's is a frame: "ss" is one of them."""
    segment = paced("Yes, a mess is.", speech(0.12, 2.0))
    starts = dict(zip(("Yes,", "a", "mess", "is."), (0, 5, 7, 11), strict=True))
    assert not segment.estimated
    for word in segment.words:
        assert word.start_s == pytest.approx((starts[word.text] + 1.5) * LETTER_S)
    assert segment.words[0].end_s == pytest.approx(4.5 * LETTER_S)  # before the comma
    assert segment.words[1].end_s == segment.words[2].start_s  # the space belongs to the word


def test_a_tempo_of_the_segment_counts() -> None:
    slow = paced("One two", speech(0.24, 2.0), tempo=0.5)
    assert slow.words[1].start_s == pytest.approx(2 * (4 + 1.5) * LETTER_S)


@pytest.mark.parametrize("text", ["Größe und ÄÖÜ", "Smile 😀 now"])
def test_characters_of_several_tokens(text: str) -> None:
    segment = paced(text, speech(0.1, 5.0))
    last = len(text[: text.rindex(" ") + 1].encode())
    assert segment.words[-1].start_s == pytest.approx((last + 1.5) * LETTER_S)


def test_the_pace_that_is_expected_is_that_of_the_segments_before() -> None:
    timeline = Timeline(PCM)
    timeline.write(speech(0, 30.0))
    timeline.end_segment(SegmentText("Very slow speech it was, this one."), 0)
    timeline.begin_segment(SegmentText("And so on"), 0)
    assert timeline.current is not None
    assert timeline.current.end_s > 3
