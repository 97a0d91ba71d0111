"""Each passage of a request has a voice, of one model for them all."""

from __future__ import annotations

import dataclasses

import pytest

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import InvalidRequest, NotSupported
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.script.passage import Passage, Style
from qwen_tts_api.service.voices.resolve import ResolvedVoice, resolve_passages

CARD = ModelCard.__new__(ModelCard)  # nobody looks into it


class Resolver:
    """Knows who belongs to which model, and what it was asked."""

    def __init__(self, **models: str) -> None:
        self._models = models
        self.asked: list[SpeechRequest] = []

    def __call__(self, request: SpeechRequest) -> ResolvedVoice:
        self.asked.append(request)
        model = self._models.get(request.speaker)
        if model is None:
            raise InvalidRequest(f"Unknown speaker {request.speaker!r}.")
        return ResolvedVoice(model, CARD, request, (), "auto", speaker=request.speaker)


def passage(speaker: str, place: str = "") -> Passage:
    return Passage("Hello.", Style(speaker=speaker, place=place))


def test_a_voice_of_several_passages_is_resolved_once() -> None:
    resolver = Resolver(ann="one", bob="one")
    passages = [passage("ann"), passage("bob"), passage("ann")]
    voices = resolve_passages(resolver, SpeechRequest(text="Hello."), passages)
    assert [voice.speaker for voice in voices] == ["ann", "bob", "ann"]
    assert [request.speaker for request in resolver.asked] == ["ann", "bob"]


def test_a_recording_is_the_voice_of_those_that_name_none() -> None:
    resolver = Resolver(ann="one", **{"": "one"})
    request = SpeechRequest(ref_audio=b"wav", ref_text="Hi.", x_vector_only_mode=True)
    resolve_passages(resolver, request, [passage(""), passage("ann")])
    assert resolver.asked == [request, SpeechRequest(speaker="ann")]


def test_what_a_passage_says_goes_before_the_request() -> None:
    resolver = Resolver(ann="one")
    style = Style(speaker="ann", language="German", instruct="Calm.")
    request = SpeechRequest(speaker="bob", language="English", seed=3)
    resolve_passages(resolver, request, [Passage("Hallo.", style)])
    expected = dataclasses.replace(request, speaker="ann", language="German", instruct="Calm.")
    assert resolver.asked == [expected]


def test_the_voices_of_two_models_are_refused() -> None:
    resolver = Resolver(ann="one", bob="two")
    with pytest.raises(NotSupported, match=r"Turn 2: .*'two'.*'one'"):
        resolve_passages(resolver, SpeechRequest(), [passage("ann"), passage("bob", "Turn 2")])


def test_an_error_says_where_the_voice_is_asked_for() -> None:
    with pytest.raises(InvalidRequest, match=r"^Turn 1: Unknown speaker 'eve'"):
        resolve_passages(Resolver(ann="one"), SpeechRequest(), [passage("eve", "Turn 1")])
