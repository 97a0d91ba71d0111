"""A text that arrives while it is spoken: order, bounds, interruption, end."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile

from qwen_tts_api.checkpoints.card import read_card
from qwen_tts_api.checkpoints.nano import SPEAKING_FOLDER
from qwen_tts_api.errors import (
    ClientLeft,
    InvalidRequest,
    NothingToSay,
    QueueFull,
    SynthesisFailed,
    TextTooLong,
    TTSError,
)
from qwen_tts_api.service.live.events import (
    AudioChunk,
    Delivered,
    Ended,
    Flushed,
    LiveEvent,
    SegmentBegins,
    SegmentEnded,
)
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.request import SpeechRequest
from tests.conftest import Bench, wait_until
from tests.fakes import SAMPLES_PER_FRAME
from tests.patience import PATIENCE_S
from tests.service.synthesis.test_segmented_job import LeavesLater, MakeBench, idle
from tests.service.test_speech import Gone


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
        self.join(PATIENCE_S)
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


def ended(events: list[LiveEvent]) -> list[SegmentEnded]:
    return [each for each in events if isinstance(each, SegmentEnded)]


def test_segments_are_joined_like_those_of_a_long_text(
    make_bench: MakeBench, listen: Listen
) -> None:
    """With the pauses of a request that is divided alike, and its seeds."""
    bench = make_bench(max_segment_chars=50)
    text = "The first sentence is long enough to stand alone. The second is as long as that one."
    whole = bench.service.synthesize(SpeechRequest(text, audio_format="pcm", seed=5, stream=True))
    prompts = bench.runner.prompts[-2:]
    listener = listen(bench, text, seed=5, finished=True)
    listener.end()
    assert bench.runner.prompts[-2:] == prompts
    assert len(listener.data) == len(whole.data)
    assert np.abs(samples_of(listener.data) - samples_of(whole.data)).max() < 16_000  # the fades
    assert listener.texts == [prompt.text for prompt in prompts]


def samples_of(data: bytes) -> Any:
    return np.frombuffer(data, np.int16).astype(int)


def test_the_next_segment_is_begun_ahead(make_bench: MakeBench, listen: Listen) -> None:
    """On a slot that is free, when the text is over; what was flushed is told in its order."""
    bench = make_bench(rows=2, max_segment_chars=50)
    bench.runner.gate.clear()
    listener = listen(bench, "A first sentence, of forty characters, so. ", finished=False)
    listener.live.append("A second one, of nearly as many characters. ")
    wait_until(lambda: len(bench.runner.slots) == 1)
    assert listener.live.flush() == 1
    listener.live.append("Third.")
    listener.live.finish()
    wait_until(lambda: len(bench.runner.slots) == 2)
    assert listener.texts == ["A first sentence, of forty characters, so."]
    bench.runner.gate.set()
    events = listener.end()
    told = [each for each in events if isinstance(each, (SegmentEnded, Flushed))]
    assert [getattr(each, "index", "flushed") for each in told] == [0, 1, "flushed", 2]


def test_each_segment_may_have_a_container(bench: Bench, listen: Listen) -> None:
    """Whole, with its length in its header; or while it is made."""
    for stream in False, True:
        listener = listen(bench, "One here.", audio_format="wav", per_segment=True, stream=stream)
        listener.live.flush()
        listener.live.append("Two here.")
        listener.live.finish()
        events = listener.end()
        files = [
            [each.data for each in group if isinstance(each, AudioChunk)]
            for kind, group in itertools.groupby(events, type)
            if kind is AudioChunk
        ]
        assert [file[0][:4] for file in files] == [b"RIFF", b"RIFF"]
        assert [len(file) > 1 for file in files] == [stream, stream]
        spoken = [soundfile.read(io.BytesIO(b"".join(file)))[0] for file in files]
        comments = [soundfile.SoundFile(io.BytesIO(b"".join(file))).comment for file in files]
        assert all(comment.startswith("AI-generated speech; ") for comment in comments)
        assert list(map(len, spoken)) == [each.num_samples for each in ended(events)]


def test_a_segment_that_fails_alone_is_told(bench: Bench, listen: Listen) -> None:
    """With a container each the text goes on; with one it ends there."""
    for per_segment in True, False:
        listener = listen(bench, per_segment=per_segment)
        bench.runner.prefill_error = RuntimeError("broken")
        listener.live.append("This fails. ")
        listener.live.flush()
        wait_until(lambda: listener.ended)  # noqa: B023
        if per_segment:
            listener.live.append("This does not.")
            listener.live.finish()
        events = listener.end()
        assert isinstance(ended(events)[0].error, SynthesisFailed)
        if per_segment:
            assert [each.finish_reason for each in ended(events)] == ["", "stop"]
            assert events[-1] == Ended("synthesis_failed")
        else:
            assert isinstance(listener.error, SynthesisFailed)
    wait_until(lambda: idle(bench))


def test_an_interruption_tells_what_was_spoken(bench: Bench, listen: Listen) -> None:
    bench.runner.gate.clear()
    listener = listen(bench, "A sentence that takes long. Another.")
    wait_until(lambda: listener.texts)
    spoken = listener.live.cancel()
    num_frames = len(bench.runner.batches)
    events = listener.end()
    assert events[-1] == Ended("cancelled")
    assert listener.error is None
    assert spoken == Delivered(0, 0)
    wait_until(lambda: idle(bench))
    assert len(bench.runner.batches) <= num_frames + 1
    bench.runner.gate.set()
    listener = listen(bench, "A sentence. ")
    listener.live.flush()
    wait_until(lambda: listener.ended)
    spoken = listener.live.cancel()
    assert spoken == Delivered(11, 11 * 80)
    with pytest.raises(InvalidRequest):
        listener.live.append("more")


def test_what_has_not_begun_can_be_dropped(make_bench: MakeBench, listen: Listen) -> None:
    """Also what the model has begun ahead; what is appended then is spoken."""
    bench = make_bench(rows=2, max_segment_chars=50)
    bench.runner.gate.clear()
    listener = listen(bench, "A first sentence, of forty characters, so. ", finished=False)
    listener.live.append("A second one, of nearly as many characters. ")
    listener.live.flush()
    bench.runner.gate.set()
    wait_until(lambda: len(bench.runner.prompts) == 2 or listener.texts[1:])
    listener.live.clear()
    listener.live.append("Third.")
    listener.live.finish()
    assert isinstance(listener.end()[-1], Ended)
    assert listener.texts[-1] == "Third."
    assert listener.texts == listener.ended
    wait_until(lambda: idle(bench))


def test_a_text_without_words(bench: Bench, listen: Listen) -> None:
    """Of emoji: an error, or a short silence where that is wanted. Nothing at all: nothing."""
    refused = listen(bench, "😀 ...", finished=True)
    assert refused.end() == []
    assert isinstance(refused.error, NothingToSay)
    silent = listen(bench, "😀 ...", finished=True, silence=True)
    assert silent.end()[-1] == Ended("nothing_to_say")
    assert len(silent.data) == 2 * 4800
    for text in "", " \n":
        empty = listen(bench, text, finished=True)
        assert empty.end() == [Ended("nothing_to_say")]
    assert not bench.runner.prompts


def test_a_queue_that_is_full_refuses_the_first_segment(
    make_bench: MakeBench, listen: Listen
) -> None:
    """Not the text: nobody knows before when it is spoken. Later segments are never refused."""
    bench = make_bench(max_queue=1)
    bench.runner.gate.clear()
    first = listen(bench, "First. ")
    first.live.flush()
    wait_until(lambda: bench.pool.status().running == 1)
    listen(bench, "Second. ").live.flush()
    wait_until(lambda: bench.pool.status().waiting == 1)
    third = listen(bench, "Third. ", per_segment=True)
    third.live.flush()
    third.end()
    assert isinstance(third.error, QueueFull)
    bench.runner.gate.set()
    first.live.append("Fourth.")
    first.live.finish()
    assert first.end()[-1] == Ended("stop")


def test_a_client_that_leaves_ends_it(bench: Bench, listen: Listen) -> None:
    """While it is spoken, or while it waits for text."""
    gone = listen(bench, "Hello. ", client=Gone())
    gone.end()
    assert isinstance(gone.error, ClientLeft)
    client = LeavesLater()
    before = client.leave
    waiting = listen(bench, client=client)
    wait_until(lambda: client.leave is not before)
    client.leave()
    waiting.end()
    assert isinstance(waiting.error, ClientLeft)
    wait_until(lambda: idle(bench))


def test_a_shutdown_ends_texts_with_what_has_arrived(make_bench: MakeBench, listen: Listen) -> None:
    bench = make_bench(live_silence_s=600)  # the silence does not end them
    listener = listen(bench, "Half a sen")
    idling = listen(bench)
    bench.service.drain()
    assert idling.end() == [Ended("nothing_to_say")]
    listener.end()
    assert listener.error is None or listener.error.code == "shutting_down"
    assert bench.service.close(PATIENCE_S)


def test_it_is_counted(bench: Bench, listen: Listen) -> None:
    """Once, with all characters that were spoken."""
    listener = listen(bench, "One here. ")
    listener.live.flush()
    wait_until(lambda: listener.ended)
    listener.live.append("Two.")
    listener.live.finish()
    listener.end()
    registry = bench.service.metrics.registry

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"qwen_tts_{name}", labels) or 0.0

    assert value("syntheses_total", model="voice", outcome="stop") == 1
    assert value("characters_total", model="voice") == 13
    assert value("first_audio_seconds_count", delivery="live") == 1
    assert value("underruns_total") == 0
    listener.live.cancel()
    with pytest.raises(InvalidRequest, match="finished"):
        listener.live.append("more")
    assert listener.live.usage.num_frames == 13
    assert listener.live.num_characters == 14
    assert listener.live.is_over


def test_it_is_over_before_its_end_is_told(bench: Bench) -> None:
    """A client that hears of it may begin another text at once."""
    live = bench.service.live(SpeechRequest("Hello there.", audio_format="pcm"))
    live.finish()
    told = [(event, live.is_over) for event in live.events()]
    assert next(is_over for event, is_over in told if isinstance(event, AudioChunk)) is False
    assert told[-1] == (Ended("stop"), True)


def test_bounds_are_those_of_the_settings(make_bench: MakeBench, listen: Listen) -> None:
    bench = make_bench(max_text_chars=20, live_pending_chars=10, live_silence_s=0.1)
    listener = listen(bench, "Ten chars.")
    with pytest.raises(TextTooLong, match="QWEN_LIVE_PENDING_CHARS allows 10"):
        listener.live.append("x")
    with pytest.raises(TextTooLong, match="QWEN_MAX_TEXT_CHARS allows 20"):
        listener.live.append("x" * 11)
    assert listener.end()[-1] == Ended("stop")
    assert listener.texts == ["Ten chars."]


def test_a_text_is_spoken_word_by_word(make_bench: MakeBench, listen: Listen) -> None:
    """In one utterance, which waits for the next word, and ends behind the last."""
    bench = make_bench(rows=2, live_mode="continuous")
    listener = listen(bench)
    assert listener.live.info.mode == "continuous"
    listener.live.append("Hello the")
    wait_until(lambda: bench.runner.batches)
    assert listener.texts == ["Hello"]
    other = bench.service.synthesize(SpeechRequest("Somebody else"))
    assert other.info.finish_reason == "stop"
    for char in "re. And **more of it** to":
        listener.live.append(char)
    listener.live.append(" come")
    listener.live.finish()
    events = listener.end()
    assert events[-1] == Ended("stop")
    [spoken] = ended(events)
    assert spoken.text == "Hello there. And more of it to come"
    assert spoken.num_samples == len(spoken.text) * SAMPLES_PER_FRAME
    assert len(listener.data) == 2 * spoken.num_samples
    wait_until(lambda: idle(bench))


def test_a_long_text_goes_on_in_another_utterance(make_bench: MakeBench, listen: Listen) -> None:
    """Behind a sentence that ends near its length; at a flush; each with its offset."""
    bench = make_bench(rows=2, live_mode="continuous", max_segment_chars=50)
    listener = listen(bench)
    for word in "A sentence of some forty letters, as it is. The next one of them. And ".split(" "):
        listener.live.append(f"{word} ")
    listener.live.flush()
    listener.live.append("so on")
    listener.live.finish()
    events = listener.end()
    assert listener.ended == [
        "A sentence of some forty letters, as it is.",
        "The next one of them. And",
        "so on",
    ]
    assert [each.offset for each in events if isinstance(each, SegmentBegins)] == [0, 43, 71]
    assert Flushed(1) in events


def test_silence_ends_a_text_that_is_being_spoken(make_bench: MakeBench, listen: Listen) -> None:
    bench = make_bench(rows=2, live_mode="continuous", live_silence_s=0.1)
    listener = listen(bench, "Hello the")
    assert listener.end()[-1] == Ended("stop")
    assert listener.ended == ["Hello the"]


def test_one_that_waits_for_a_word_can_be_interrupted(
    make_bench: MakeBench, listen: Listen
) -> None:
    """Its slot is free at once; so it is when the client leaves, or drops what is to come."""
    bench = make_bench(live_mode="continuous")
    for stop in "cancel", "clear":
        listener = listen(bench, "Hello there my")
        wait_until(lambda: listener.data)  # noqa: B023
        getattr(listener.live, stop)()
        if stop == "clear":
            listener.live.finish()
        assert listener.end()[-1] == Ended("cancelled" if stop == "cancel" else "stop")
        wait_until(lambda: idle(bench))


def test_a_model_that_hears_no_words_speaks_sentences(
    make_bench: MakeBench, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so."""
    bench = make_bench(live_mode="continuous")
    assert listen(bench, live_mode="segments").live.info.mode == "segments"
    card = replace(bench.pool.cards.get("voice"), streaming_text=False)
    monkeypatch.setattr(bench.pool.cards, "get", lambda name: card)
    assert listen(bench).live.info.mode == "segments"
    assert not read_card(SPEAKING_FOLDER).streaming_text
