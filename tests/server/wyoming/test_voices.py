"""`info` lists the voices of all models, at once; a name that it does not have is the default."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.errors import LoadError, ModelUnavailable
from qwen_tts_api.server.wyoming import voices
from qwen_tts_api.server.wyoming.voices import WyomingVoices
from tests.conftest import CARDS, Bench
from tests.fakes import BASE
from tests.recordings import encode, tone

MakeBench = Callable[..., Bench]


def of(bench: Bench) -> WyomingVoices:
    return WyomingVoices(bench.config, bench.service)


def add(bench: Bench, name: str) -> None:
    bench.service.voices.add(name, encode(tone(2, 24_000)), "Hello.")


def listed(bench: Bench) -> dict[str, list[str]]:
    """Return the languages of each voice."""
    [program] = of(bench).info()["tts"]
    return {voice["name"]: voice["languages"] for voice in program["voices"]}


ALL = ["zh", "en", "fr", "de"]


def test_the_voices_of_all_models(bench: Bench) -> None:
    """Others than the default model's have its name behind theirs; registered ones follow."""
    add(bench, "Änna B")
    assert {name: set(languages) for name, languages in listed(bench).items()} == {
        "Serena": set(ALL),
        "Uncle_Fu": set(ALL),
        "Ryan": set(ALL),
        "Dylan": set(ALL),
        "Ryan@small": {"en"},
        "design": {"zh", "en"},
        "anna-b": {"zh", "en"},
    }
    [program] = of(bench).info()["tts"]
    assert program["voices"][-1]["description"] == "Änna B"


def test_registered_voices_of_several_base_models(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first Base model's have no model's name: it speaks where none is named."""
    monkeypatch.setitem(CARDS, "clone2", BASE)
    bench = make_bench(served=("small", "clone", "clone2"), start=False)
    add(bench, "Anna")
    assert list(listed(bench)) == ["Ryan", "anna", "anna@clone2"]
    assert of(bench).find("anna@clone2") == ("clone2", "anna")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ("", "")),
        ("Serena", ("", "Serena")),
        ("serena", ("", "serena")),
        ("p225", ("", "p225")),
        ("Änna B", ("", "Änna B")),
        ("anna-b", ("", "anna-b")),
        ("Ryan@small", ("small", "Ryan")),
        ("design", ("design", "")),
        ("anna-b@clone", ("clone", "anna-b")),
        ("Serena@small", ("", "")),  # of another model
        ("anna-b@voice", ("", "")),
        ("Ryan@gone", ("", "")),
        ("@small", ("", "")),
        ("small", ("", "")),
        ("Bob", ("", "")),
        ("p1", ("", "")),  # an alias of a speaker that is gone
    ],
)
def test_a_voice_by_its_name(make_bench: MakeBench, name: str, expected: tuple[str, str]) -> None:
    bench = make_bench(start=False, speaker_aliases=(("p225", "Serena"), ("p1", "Gone")))
    add(bench, "Änna B")
    assert of(bench).find(name) == expected


def test_a_model_that_cannot_be_read_is_left_out(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are listed; whoever asks for it is told."""
    bench = make_bench(start=False, served=("voice", "small"))
    monkeypatch.setattr(bench.pool.cards, "_describe", describe_unless_small)
    assert list(listed(bench)) == ["Serena", "Uncle_Fu", "Ryan", "Dylan"]
    with pytest.raises(ModelUnavailable):
        of(bench).find("Ryan@small")


def describe_unless_small(model_id: str) -> ModelCard:
    if model_id == "small":
        raise LoadError("It is gone.")
    return CARDS[model_id]


def test_the_list_is_told_while_checkpoints_are_read(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the settings say first; then what the last reading found. Nobody waits for a hub."""
    monkeypatch.setattr(voices, "ANSWER_S", 0.01)
    gate = threading.Event()

    def describe(model_id: str) -> ModelCard:
        assert gate.wait(60)
        return CARDS[model_id]

    bench = make_bench(start=False, default_speaker="Serena")
    monkeypatch.setattr(bench.pool.cards, "_describe", describe)
    asked = of(bench)
    began_at = time.monotonic()
    [program] = asked.info()["tts"]
    assert time.monotonic() - began_at < 30  # of the minute that the cards would take
    [voice] = program["voices"]
    assert (voice["name"], len(voice["languages"])) == ("Serena", 10)
    gate.set()
    monkeypatch.setattr(voices, "ANSWER_S", 10)
    [program] = asked.info()["tts"]
    assert len(program["voices"]) == 6


def test_a_registry_that_cannot_be_read(bench: Bench) -> None:
    """The models' own speakers are listed all the same."""
    add(bench, "Anna")
    folder = bench.config.registry_dir
    folder.rename(folder.with_name("gone"))
    folder.touch()
    assert "anna" not in listed(bench)
    assert "Ryan" in listed(bench)
