"""The use case where threads meet: nothing that failed looks finished."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import FrozenInstanceError

import pytest

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import ClientLeft, SynthesisFailed
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.result import TokenUsage
from qwen_tts_api.service.synthesis.segmented_job import SegmentedJob
from qwen_tts_api.service.text.script.turns import Turn
from qwen_tts_api.service.voices.resolve import ResolvedVoice, VoiceResolver
from tests.conftest import Bench, wait_until


def test_a_job_that_fails_between_two_looks_fails_the_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it happens: here, just after a wait that saw nothing."""

    def fail_unseen(job: Job, timeout_s: float) -> bool:
        job.fail(SynthesisFailed("broken"))
        return False

    monkeypatch.setattr(Job, "wait", fail_unseen)
    with pytest.raises(SynthesisFailed):
        bench.service.synthesize(SpeechRequest("Hello"))


class Gone:
    """A client that has left already."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        callback()
        return nullcontext()


def test_a_client_that_has_left_gets_nothing(bench: Bench) -> None:
    """Whether its job is in the model by then or not, its row is free, and its place in the queue.

    The wait for audio is one wait: nobody looks every few milliseconds whether the client is there.
    """
    bench.runner.gate.clear()  # the text would not end by itself
    with pytest.raises(ClientLeft):
        bench.service.synthesize(SpeechRequest("x" * 3000), Gone())
    wait_until(lambda: bench.service.status().running + bench.service.status().waiting == 0)
    bench.runner.gate.set()
    bench.service.synthesize(SpeechRequest("next"))


@pytest.mark.parametrize("audio_format", ["wav", "pcm"])
def test_a_stream_without_samples_has_a_first_chunk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, audio_format: str
) -> None:
    """The answer then has its headers, and ends as any other; it is counted as empty."""
    monkeypatch.setattr(SegmentedJob, "samples", lambda job, timeline: iter(()))
    monkeypatch.setattr(SegmentedJob, "finish_reason", "stop")
    stream = bench.service.stream(SpeechRequest("Hello", audio_format=audio_format, stream=True))
    header, *rest = stream
    assert header[:4] == (b"RIFF" if audio_format == "wav" else b"")
    assert not rest
    assert bench.service.metrics.registry.get_sample_value("qwen_tts_empty_audio_total") == 1


def test_what_is_told_of_speech_is_values(bench: Bench) -> None:
    """Nothing of the engine is reachable through it, and nothing of it changes afterwards."""
    speech = bench.service.synthesize(SpeechRequest("Hello", seed=7))
    values = {**vars(speech), **vars(speech.info), **vars(speech.usage)}
    values["text"] = speech.info.text.text
    del values["info"], values["usage"]
    assert values.pop("times") is None
    assert {type(value) for value in values.values()} <= {bytes, str, int, float, bool, tuple}
    with pytest.raises(FrozenInstanceError):
        speech.info.seed = 8  # type: ignore[misc]


def test_the_usage_of_a_stream_grows(bench: Bench) -> None:
    stream = bench.service.stream(SpeechRequest("Hello", stream=True))
    assert list(stream)
    assert stream.progress.usage == TokenUsage(1000, 5)


def test_a_designed_voice_is_resolved_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though passages between which no pause is stated are spoken as one, with one voice."""
    asked: list[SpeechRequest] = []
    resolve = VoiceResolver.resolve

    def count(resolver: VoiceResolver, request: SpeechRequest) -> ResolvedVoice:
        asked.append(request)
        return resolve(resolver, request)

    monkeypatch.setattr(VoiceResolver, "resolve", count)
    turns = (Turn("One."), Turn("Two."), Turn("Three.", instruct="Angry."))
    speech = bench.service.synthesize(
        SpeechRequest(turns=turns, model="design", instruct="Calm.", timestamps=True)
    )
    assert [request.instruct for request in asked] == ["Calm.", "Angry."]
    assert speech.info.num_segments == 2
    assert speech.times is not None
    places = [word.place for segment in speech.times.segments for word in segment.words]
    assert places == [(0, 4), (4, 8), (8, 14)]
