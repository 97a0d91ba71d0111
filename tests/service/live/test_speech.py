"""A text that arrives while it is spoken: order, bounds, interruption, end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwen_tts_api.errors import (
    TTSError,
)
from qwen_tts_api.service.live.events import (
    AudioChunk,
    Ended,
    LiveEvent,
    SegmentBegins,
    SegmentEnded,
)
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench, wait_until
from tests.fakes import SAMPLES_PER_FRAME
from tests.service.test_segmented_job import idle


class Listener(threading.Thread):
    """Iterates over the events, in a thread of its own; `close` is called at the end of a test."""

    def __init__(self, live: LiveSpeech) -> None:
        super().__init__(daemon=True)
        self.live = live
        self.events: list[LiveEvent] = []
        self.error: TTSError | None = None
        self.start()

    def run(self) -> None:
        try:
            for event in self.live.events():
                self.events.append(event)
        except TTSError as error:
            self.error = error

    def end(self) -> list[LiveEvent]:
        """Return all events, when there are no more."""
        self.join(10)
        assert not self.is_alive()
        return self.events

    @property
    def texts(self) -> list[str]:
        """The segments that have begun."""
        return [each.text for each in list(self.events) if isinstance(each, SegmentBegins)]

    @property
    def ended(self) -> list[str]:
        """Those that were spoken to their end."""
        return [each.text for each in list(self.events) if isinstance(each, SegmentEnded)]

    @property
    def data(self) -> bytes:
        """All audio."""
        return b"".join(each.data for each in self.events if isinstance(each, AudioChunk))


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Return a function that begins to speak live, and listens."""
    listeners: list[Listener] = []

    def begin(bench: Bench, text: str = "", client: Any = None, **fields: Any) -> Listener:
        per_segment, is_finished = fields.pop("per_segment", False), fields.pop("finished", False)
        request = SpeechRequest(text, audio_format=fields.pop("audio_format", "pcm"), **fields)
        clients = {} if client is None else {"client": client}
        live = bench.service.live(request, per_segment=per_segment, **clients)
        if is_finished:
            live.finish()
        listeners.append(Listener(live))
        return listeners[-1]

    yield begin
    for listener in listeners:
        listener.live.cancel()
        listener.end()


def test_a_sentence_is_spoken_while_the_next_arrives(bench: Bench, listen: Listen) -> None:
    listener = listen(bench)
    for char in "Hello there. How are":
        listener.live.append(char)
    wait_until(lambda: listener.ended == ["Hello there."])
    listener.live.append(" you? Fine.")
    listener.live.finish()
    events = listener.end()
    kinds = [kind for kind, _ in itertools.groupby(type(each) for each in events)]
    assert kinds[:3] == [SegmentBegins, AudioChunk, SegmentEnded]
    assert kinds[-1] is Ended
    begins = [each for each in events if isinstance(each, SegmentBegins)]
    assert [(each.index, each.text) for each in begins] == [
        (0, "Hello there."),
        (1, "How are you? Fine."),
    ]
    assert [each.offset for each in begins] == [0, 12]
    ended = [each for each in events if isinstance(each, SegmentEnded)]
    frames = [each.num_samples / SAMPLES_PER_FRAME for each in ended]
    assert frames == [len(each.text) for each in begins]
    assert {each.finish_reason for each in ended} == {"stop"}
    assert events[-1] == Ended("stop")
    wait_until(lambda: idle(bench))


def test_a_text_at_once_is_the_audio_of_a_request(bench: Bench, listen: Listen) -> None:
    """One segment, spoken by the same prompt and seed."""
    text = "One sentence. And another."
    listener = listen(bench, text, seed=5, finished=True)
    listener.end()
    prompt = bench.runner.prompts[-1]
    whole = bench.service.synthesize(SpeechRequest(text, audio_format="pcm", seed=5, stream=True))
    assert bench.runner.prompts[-1] == prompt
    assert listener.data == whole.data
    assert listener.live.info.seed == 5
