"""Who speaks: speakers, registered voices and recordings, by the one model that can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen_tts_api.errors import (
    InvalidAudio,
    InvalidRequest,
    NotSupported,
    ReferenceRequired,
    RegistryUnavailable,
    TooManyVoices,
    UnknownSpeaker,
    VoiceExists,
)
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.voices.store import VoiceStore
from tests.conftest import Bench
from tests.recordings import recording, tone

MakeBench = Callable[..., Bench]


def say(bench: Bench, **fields: Any) -> tuple[str, Prompt]:
    """Return the model that met a request, and what it was asked to say."""
    speech = bench.service.synthesize(SpeechRequest("Hi.", **fields))
    model = speech.info.model
    return model, bench.hub.runners[model].prompts[-1]


def test_a_recording_reaches_the_model(bench: Bench) -> None:
    """With its text, or for its embedding alone; the text then plays no part."""
    model, prompt = say(bench, ref_audio=recording(2), ref_text=" Hello. ")
    assert (model, prompt.speaker) == ("clone", None)
    assert prompt.reference is not None
    assert (prompt.reference.text, prompt.reference.x_vector_only) == ("Hello.", False)
    heard = prompt.reference.samples
    assert np.abs(heard[:48_000] - tone(2, 24_000)[:, 0]).max() < 1e-4
    assert len(heard) == 60_000  # half a second behind its last sound
    assert not heard[48_000:].any()
    for ref_text in ("", "Hello."):
        _, prompt = say(bench, ref_audio=recording(2), ref_text=ref_text, x_vector_only_mode=True)
        assert prompt.reference is not None
        assert (prompt.reference.text, prompt.reference.x_vector_only) == ("", True)


def test_a_registered_voice_speaks_by_the_base_model(bench: Bench) -> None:
    """By name or id in any case, with the model named or not."""
    bench.service.voices.add("Änna B", recording(2), "Hello.")
    for speaker, model in (("anna-b", ""), ("ÄNNA b", ""), (" Änna B ", "clone"), ("ANNA-B", "")):
        used, prompt = say(bench, speaker=speaker, model=model)
        assert (used, prompt.speaker) == ("clone", None)
        assert prompt.reference is not None
        assert (prompt.reference.text, prompt.reference.x_vector_only) == ("Hello.", False)
    with pytest.raises(UnknownSpeaker):  # makes the same id, but is another name
        say(bench, speaker="anna.b")


def test_a_registered_voice_without_a_text_gives_its_embedding(bench: Bench) -> None:
    """And one with a text does so where the request wants it."""
    bench.service.voices.add("Anna", recording(2))
    bench.service.voices.add("Bob", recording(2), "Hello.")
    for fields in ({"speaker": "anna"}, {"speaker": "bob", "x_vector_only_mode": True}):
        _, prompt = say(bench, **fields)
        assert prompt.reference is not None
        assert prompt.reference.x_vector_only


def test_a_recording_is_read_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later requests have the very same reference, which the engine has computed already."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    first = say(bench, speaker="anna")[1].reference
    assert say(bench, speaker="Anna", model="clone")[1].reference is first
    bench.service.voices.delete("anna")
    bench.service.voices.add("Anna", recording(3), "Hello.")
    again = say(bench, speaker="anna")[1].reference
    assert again is not None
    assert len(again.samples) == 84_000  # with half a second of silence


def test_a_speaker_of_the_model_goes_before_a_registered_voice(make_bench: MakeBench) -> None:
    """Where a checkpoint brings a speaker whose name was taken."""
    bench = make_bench(served=("clone",))
    bench.service.voices.add("Ryan", recording(2), "Hello.")
    with_speakers = make_bench()
    model, prompt = say(with_speakers, speaker="ryan")
    assert (model, prompt.speaker) == ("voice", "ryan")
    model, prompt = say(with_speakers, speaker="ryan", model="clone")
    assert prompt.reference is not None


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"model": "clone"}, ReferenceRequired, ["'ref_audio'", "'speaker'", "anna"]),
        ({"model": "clone", "speaker": "Bob"}, UnknownSpeaker, ["'Bob'", "anna"]),
        ({"speaker": "Bob"}, UnknownSpeaker, ["'Bob'", "Ryan", "anna"]),
        ({"ref_audio": recording(2)}, ReferenceRequired, ["'ref_text'", "'x_vector_only_mode'"]),
        ({"ref_audio": recording(2), "ref_text": " "}, ReferenceRequired, ["'ref_text'"]),
        ({"ref_audio": b"x", "ref_text": "a"}, InvalidAudio, ["WAV, FLAC"]),
        ({"ref_audio": recording(2), "ref_text": "a" * 2001}, InvalidRequest, ["2001"]),
        (
            {"ref_audio": recording(2), "ref_text": "a", "speaker": "anna"},
            InvalidRequest,
            ["'ref_audio'", "'anna'"],
        ),
        ({"speaker": "anna", "ref_text": "a"}, InvalidRequest, ["'anna'", "'ref_text'"]),
        ({"speaker": "anna", "instruct": "angry"}, NotSupported, ["'instruct'"]),
        ({"speaker": "anna", "model": "voice"}, NotSupported, ["'anna'", "'voice'", "'clone'"]),
        ({"speaker": "anna", "model": "design"}, NotSupported, ["'anna'", "'design'", "'clone'"]),
        ({"ref_text": "a"}, ReferenceRequired, ["'ref_audio'"]),
        ({"ref_text": "a", "model": "voice"}, NotSupported, ["ref_text", "'clone'"]),
        ({"x_vector_only_mode": True, "model": "voice"}, NotSupported, ["x_vector_only_mode"]),
        (
            {"ref_audio": recording(2), "ref_text": "a", "model": "voice"},
            NotSupported,
            ["ref_audio and ref_text", "'voice'", "'clone'"],
        ),
    ],
)
def test_what_cannot_be_is_refused(
    bench: Bench, fields: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    """The sentence says what would be right; no model is troubled."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    with pytest.raises(error) as raised:
        say(bench, **fields)
    for word in words:
        assert word in str(raised.value)
    assert not any(runner.prompts for runner in bench.hub.runners.values())


def test_without_a_base_model_nothing_can_be_cloned(make_bench: MakeBench) -> None:
    """And no voice is listed, nor registered."""
    bench = make_bench()
    bench.service.voices.add("Anna", recording(2), "Hello.")
    bench = make_bench(served=("voice", "design"))
    assert [voice.kind for voice in bench.service.voices.list()] == ["speaker"] * 4
    with pytest.raises(NotSupported, match="no Base model is served"):
        say(bench, ref_audio=recording(2), ref_text="a")
    with pytest.raises(NotSupported, match="no Base model is served"):
        say(bench, speaker="anna")
    with pytest.raises(NotSupported, match="QWEN_MODELS"):
        bench.service.voices.add("Bob", recording(2))
    bench.service.voices.delete("anna")


def test_the_default_speaker_may_be_a_registered_voice(make_bench: MakeBench) -> None:
    """Then a Base model needs no recording, and the policy for unknown speakers has a default."""
    bench = make_bench(served=("clone",), default_speaker="Anna")
    with pytest.raises(ReferenceRequired, match="registered are none"):
        say(bench)
    bench.service.voices.add("Anna", recording(2), "Hello.")
    assert say(bench)[1].reference is not None
    with pytest.raises(UnknownSpeaker):
        say(bench, speaker="p225")
    lenient = make_bench(served=("clone",), default_speaker="Anna", unknown_speaker="default")
    assert say(lenient, speaker="p225")[1].reference is not None
    assert say(lenient, speaker="p225", ref_audio=recording(3), ref_text="a")[1].reference
    lenient.service.voices.delete("anna")
    with pytest.raises(ReferenceRequired):
        say(lenient, speaker="p225")


def test_an_alias_may_mean_a_registered_voice(make_bench: MakeBench) -> None:
    """As it may mean a speaker."""
    bench = make_bench(speaker_aliases=(("p376", "Anna"), ("p225", "Ryan")))
    bench.service.voices.add("Anna", recording(2), "Hello.")
    assert say(bench, speaker="P376")[0] == "clone"
    assert say(bench, speaker="P225")[1].speaker == "ryan"
    with pytest.raises(VoiceExists):
        bench.service.voices.add("p376", recording(2))


def test_lists(bench: Bench) -> None:
    """Registered voices where they can be used: without a model, and for a Base model."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    kinds = {
        name: [voice.kind for voice in bench.service.voices.list(name)] for name in ("", "voice")
    }
    assert kinds == {"": ["speaker"] * 4 + ["registered"], "voice": ["speaker"] * 4}
    assert [voice.id for voice in bench.service.voices.list("clone")] == ["anna"]
    assert bench.service.voices.list("design") == []


@pytest.mark.parametrize("name", ["Ryan", "uncle_fu", "Anna", "ANNA", "Ánna"])
def test_a_name_that_is_taken(bench: Bench, name: str) -> None:
    """By a speaker of any served model, or by another voice."""
    bench.service.voices.add("Anna", recording(2))
    with pytest.raises(VoiceExists) as raised:
        bench.service.voices.add(name, recording(2))
    assert raised.value.status == 409
    assert len(bench.service.voices.list("clone")) == 1


def test_the_error_for_a_name_whose_id_is_taken_names_the_id(bench: Bench) -> None:
    """There is no voice of that name."""
    bench.service.voices.add("a.b", recording(2))
    with pytest.raises(VoiceExists, match="'a,b', or one with its id 'a-b'"):
        bench.service.voices.add("a,b", recording(2))


def test_a_full_registry(make_bench: MakeBench) -> None:
    """The limit holds for uploads at the same moment, too."""
    bench = make_bench(max_voices=3)
    outcomes: list[str] = []

    def add(index: int) -> None:
        try:
            bench.service.voices.add(f"Voice {index}", recording(2))
            outcomes.append("added")
        except TooManyVoices:
            outcomes.append("full")

    threads = [threading.Thread(target=add, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added"] * 3 + ["full"] * 5
    bench.service.voices.delete(bench.service.voices.list("clone")[0].id)
    bench.service.voices.add("One more", recording(2))


def test_a_broken_folder_is_told_without_its_path(
    make_bench: MakeBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """503; speakers of the model go on speaking."""
    (tmp_path / "file").write_text("x")
    bench = make_bench(voices_dir=tmp_path / "file")
    with pytest.raises(RegistryUnavailable) as raised:
        bench.service.voices.add("Anna", recording(2))
    assert str(tmp_path) not in raised.value.message
    assert str(tmp_path) in caplog.text
    assert say(bench, speaker="Ryan")[0] == "voice"


def test_a_recording_that_was_lost_is_told(bench: Bench, tmp_path: Path) -> None:
    """503, and the voice can be made anew."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    (tmp_path / "voices" / "anna" / "audio.wav").write_bytes(b"")
    with pytest.raises(RegistryUnavailable):
        say(bench, speaker="anna")
    bench.service.voices.delete("anna")
    bench.service.voices.add("Anna", recording(2), "Hello.")
    assert say(bench, speaker="anna")[0] == "clone"


def test_a_deleted_voice_is_forgotten(bench: Bench) -> None:
    """By the models and by the registry; another recording of that name is another voice."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    _, prompt = say(bench, speaker="Anna")
    say(bench, speaker="Anna", x_vector_only_mode=True)
    runner = bench.hub.runners["clone"]
    assert len(runner.voices) == 2
    bench.service.voices.delete("anna")
    assert runner.voices == set()
    assert bench.service.voices._read.cache_info().currsize == 0
    with pytest.raises(UnknownSpeaker):
        say(bench, speaker="Anna", model="clone")
    bench.service.voices.add("Anna", recording(3), "Hello.")
    _, other = say(bench, speaker="Anna")
    assert prompt.reference is not None
    assert other.reference is not None
    assert other.reference.key != prompt.reference.key


def test_a_voice_that_another_process_deleted_is_unknown(bench: Bench, tmp_path: Path) -> None:
    """At once, though its recording was read a moment ago."""
    bench.service.voices.add("Anna", recording(2), "Hello.")
    say(bench, speaker="Anna")
    assert VoiceStore(tmp_path / "voices").delete("anna")
    with pytest.raises(UnknownSpeaker):
        say(bench, speaker="Anna", model="clone")


@pytest.mark.parametrize("successor", [None, 3.0])
def test_a_voice_that_is_deleted_while_it_is_resolved_is_unknown(
    bench: Bench, caplog: pytest.LogCaptureFixture, successor: float | None
) -> None:
    """No failure of the server, which nothing in the log calls one; so of one that is replaced."""
    voices = bench.service.voices
    anna = voices.add("Anna", recording(2), "Hello.")
    voices.delete("anna")
    if successor is not None:
        voices.add("Anna", recording(successor), "Hello.")
    with pytest.raises(UnknownSpeaker):
        voices.reference(anna)
    assert [record.levelname for record in caplog.records if record.levelno >= 30] == []
