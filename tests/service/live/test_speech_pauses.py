"""Pauses that a text states while it arrives: exact, in any cut, in every mode, told rightly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from qwen_tts_api.errors import InvalidRequest, NotSupported
from qwen_tts_api.service.live.events import AudioChunk, Ended, LiveEvent, SegmentEnded
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench
from tests.fakes import SAMPLES_PER_FRAME
from tests.rows import for_each
from tests.service.synthesis.test_segmented_job import MakeBench
from tests.suites.routes.test_script import silences

TEXT = (
    '<break time="0.5s"/>Hello there. **And <break time="1s" /> you.**<break time="0.5s"/>'
    "<break time='300ms'/>好。<break/>Bye. [pause 100ms]"
)
SILENCES = [12_000, 24_000, 19_200, 18_000, 2_400]


def begin(bench: Bench, pieces: Iterable[str] = (), **fields: Any) -> LiveSpeech:
    """Begin a text with both kinds of marks."""
    per_segment = fields.pop("per_segment", False)
    asked = {"audio_format": "pcm", "seed": 5, "pause_marks": True, "break_tags": True, **fields}
    live = bench.service.live(SpeechRequest(**asked), per_segment=per_segment)
    for piece in pieces:
        live.append(piece)
    return live


def data_of(events: Iterable[LiveEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, AudioChunk))


def finished(live: LiveSpeech) -> list[LiveEvent]:
    live.finish()
    return list(live.events())


@for_each("mode", ["segments", "continuous"])
@for_each("speed", [1, 2])
def test_any_cut_has_the_samples_of_the_whole(bench: Bench, mode: str, speed: float) -> None:
    """Which are those of the text in one request; a pause is as long as it says at any speed."""
    fields = {"live_mode": mode, "speed": speed}
    whole = data_of(finished(begin(bench, [TEXT], **fields)))
    assert silences(np.frombuffer(whole, np.int16), 1000) == SILENCES
    sizes = [1, 7, 40] if speed == 1 else [7]
    for size in sizes:
        pieces = (TEXT[start : start + size] for start in range(0, len(TEXT), size))
        assert data_of(finished(begin(bench, pieces, **fields))) == whole, size
    request = SpeechRequest(
        TEXT, audio_format="pcm", seed=5, pause_marks=True, break_tags=True, speed=speed
    )
    assert bench.service.synthesize(request).data == whole


def test_a_pause_that_comes_behind_its_segment_is_as_long(bench: Bench) -> None:
    """When that was spoken to its end, and what follows was not there."""
    live = begin(bench, ["你好。"])
    events = live.events()
    heard: list[LiveEvent] = []
    while not any(isinstance(each, SegmentEnded) for each in heard):
        heard.append(next(events))
    live.append("<break time='1s'/>再见。")
    live.finish()
    heard += events
    assert silences(np.frombuffer(data_of(heard), np.int16), 1000) == [24_000]


def test_an_interruption_behind_a_pause_counts_it(bench: Bench) -> None:
    """The mark among the characters, the silence among the milliseconds; also before all speech."""
    for text, num_seconds in (("Hello.<break time='2s'/>", 2), ("[pause 3s]", 3)):
        live = begin(bench, [f"{text} Then"])
        live.flush()
        events, num_silent = live.events(), 0
        while num_silent < num_seconds:
            event = next(events)
            num_silent += isinstance(event, AudioChunk) and event.data == bytes(48_000)
        next(events)
        spoken = live.cancel()
        speech_ms = 6 * 80 if "Hello" in text else 0
        assert spoken.characters == len(text)
        assert spoken.milliseconds == pytest.approx(speech_ms + 1000 * num_seconds, abs=10)
        assert list(events)[-1] == Ended("cancelled")


def test_what_is_dropped_has_no_pause(bench: Bench) -> None:
    """Also where that was known to follow what is spoken."""
    live = begin(bench, ["Hello. [pause 2s] You."])
    events = live.events()
    heard = [next(events), next(events)]
    assert isinstance(heard[-1], AudioChunk)
    live.clear()
    live.finish()
    heard += events
    assert silences(np.frombuffer(data_of(heard), np.int16), 1000) == []


def test_no_audio_follows_when_a_pause_is_cut(bench: Bench) -> None:
    live = begin(bench, ["[pause 10s]"])
    events = live.events()
    next(events)
    live.cancel()
    assert list(events) == [Ended("cancelled")]


def test_pauses_alone_are_a_silence(bench: Bench) -> None:
    events = finished(begin(bench, ["[pause 2s] ... <break time='1s'/>"]))
    assert len(data_of(events)) == 2 * 72_000
    assert events[-1] == Ended("nothing_to_say")


def test_in_a_container_for_each_segment(bench: Bench) -> None:
    """A pause is behind the segment before it, or before the next where none is open."""
    live = begin(bench, ["[pause 1s]One. [pause 500ms]"], per_segment=True, timestamps=True)
    live.flush()
    live.append("Two.")
    events = finished(live)
    first, second = [event for event in events if isinstance(event, SegmentEnded)]
    assert first.times is not None
    assert first.times.start_s == pytest.approx(1, abs=0.1)
    assert first.num_samples == 4 * SAMPLES_PER_FRAME
    half = events.index(first)
    assert len(data_of(events[:half])) == 2 * (36_000 + first.num_samples)
    assert len(data_of(events[half:])) == 2 * second.num_samples
    assert live.milliseconds == round((36_000 + first.num_samples + second.num_samples) / 24)


def test_what_is_no_mark_is_refused_or_text(make_bench: MakeBench) -> None:
    """A wrong one is not taken, and the text goes on; without the switch it is text, or markup."""
    bench = make_bench()
    live = begin(bench, ["Hello "])
    for wrong in ("[pause 1m]", '<break time="11s"/>', "[pause 10s]" * 31):
        with pytest.raises(InvalidRequest):
            live.append(wrong)
    live.append("you.")
    events = finished(live)
    assert [each.text for each in events if isinstance(each, SegmentEnded)] == ["Hello you."]
    live = begin(bench, ["a <break/>b [pause 1s]"], pause_marks=None, break_tags=False)
    [spoken] = [each for each in finished(live) if isinstance(each, SegmentEnded)]
    assert " ".join(spoken.text.split()) == "a b [pause 1s]"
    by_setting = make_bench(pause_marks=True)
    live = begin(by_setting, ["[pause 1s]"], pause_marks=None)
    assert len(data_of(finished(live))) == 2 * 24_000
    with pytest.raises(NotSupported, match="cannot have 'ssml'"):
        begin(bench, ssml=True)
