"""Home Assistant's client of Wyoming against a real server."""

from __future__ import annotations

from wyoming.tts import SynthesizeVoice

from bench.server import Server
from tests.server.wyoming.home_assistant import describe, say, stream


def wyoming_address(server: Server) -> tuple[str, int]:
    host, _, port = server.settings["QWEN_WYOMING_BIND"].rpartition(":")
    return host, int(port)


def test_the_integration_is_set_up(server: Server) -> None:
    """A program, with the nine published speakers, their languages, and the VoiceDesign model."""
    info = describe(wyoming_address(server))
    assert info is not None
    [program] = info.tts
    assert program.installed
    assert program.name == "qwen-tts-api"
    assert program.supports_synthesize_streaming
    names = [voice.name for voice in program.voices if voice.installed]
    assert {"Ryan", "Serena", "Ono_Anna", "nano-design"} <= set(names)
    assert set(program.voices[0].languages) == set("zh en fr de it ja ko pt ru es".split())


def test_a_text_is_spoken(server: Server) -> None:
    """By the voice and in the language that are chosen; by the default one, if it has gone."""
    address = wyoming_address(server)
    for voice in (
        None,
        SynthesizeVoice(name="Serena"),
        SynthesizeVoice(name="nano-design"),
        SynthesizeVoice(language="de"),
        SynthesizeVoice(name="en_US-lessac-medium"),
    ):
        samples = say(address, "Die Tür ist offen.", voice)
        assert samples
        assert len(samples) % (2 * 1920) == 0


def test_an_answer_is_spoken_while_it_is_written(server: Server) -> None:
    """As Assist has it of a language model: words, Markdown and all."""
    words = "**Done.** The door is closed, and\nthe light is off. 🙂 Anything else?".split(" ")
    types, samples = stream(wyoming_address(server), (f"{word} " for word in words))
    assert types == ["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]
    assert len(samples) > 2 * 1920
