"""Home Assistant's client of MaryTTS, and the requests of rhasspy, against a real server."""

from __future__ import annotations

import gc
import io
import wave
from collections.abc import Iterator

import pytest
import requests
import soundfile
from speak2mary import MaryTTS

from bench.server import Server

# speak2mary leaves its connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def collect_garbage() -> Iterator[None]:
    """See that the garbage is collected here, not in another test, which would fail over it."""
    yield
    gc.collect()


@pytest.mark.parametrize(
    ("codec", "container"), [("WAVE_FILE", "WAV"), ("AU_FILE", "AU"), ("AIFF_FILE", "AIFF")]
)
def test_home_assistant(server: Server, codec: str, container: str) -> None:
    """Its `marytts` platform hands its settings to speak2mary 1.4 (here 1.5) and calls `speak`.

    The voice is `cmu-slt-hsmm` unless the user sets one; the codec is one of these three (its
    homeassistant/components/marytts/tts.py).
    """
    host, port = server.address
    mary = MaryTTS(host, port, codec, "en_US", "cmu-slt-hsmm")
    audio = mary.speak("The door is open.", {})
    with soundfile.SoundFile(io.BytesIO(audio)) as file:
        assert (file.format, file.samplerate, file.channels) == (container, 24_000, 1)
        assert file.frames > 0


def test_home_assistant_with_another_language_voice_and_effects(server: Server) -> None:
    """Umlauts arrive; an effect is passed over."""
    host, port = server.address
    mary = MaryTTS(host, port, "WAVE_FILE", "de", "Serena")
    audio = mary.speak("Die Tür ist offen.", {"Robot": "amount:100.0;"})
    with wave.open(io.BytesIO(audio)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.getnframes() > 0


def test_home_assistant_shows_what_was_wrong(server: Server) -> None:
    """speak2mary raises with the first line of the answer."""
    host, port = server.address
    with pytest.raises(
        Exception, match=r"(?i)400 - bad request: .*Unknown language 'sv'; allowed are"
    ):
        MaryTTS(host, port, locale="sv").speak("Dörren är öppen.")
    with pytest.raises(Exception, match=r"(?i)400 - bad request: .*INPUT_TEXT is required"):
        MaryTTS(host, port).speak("")


@pytest.mark.parametrize("voice", [None, "Vivian"])
def test_rhasspy(server: Server, voice: str | None) -> None:
    """Its MaryTTSSentenceSpeaker GETs /process; the locale has a hyphen, the audio no `_FILE`."""
    params = {
        "INPUT_TEXT": "Turning on the light.",
        "INPUT_TYPE": "TEXT",
        "AUDIO": "WAVE",
        "OUTPUT_TYPE": "AUDIO",
        "LOCALE": "en-US",
        **({"VOICE": voice} if voice else {}),
    }
    response = requests.get(f"{server.url}/process", params=params, timeout=60)
    response.raise_for_status()
    with wave.open(io.BytesIO(response.content)) as file:
        assert file.getnframes() > 0


def test_the_lists(server: Server) -> None:
    """Of the nine published speakers, and their ten languages."""
    voices = server.get("/voices").text.splitlines()
    assert len(voices) == 9
    assert all(len(line.split(" ")) == 3 for line in voices)
    assert "Ryan en_US male" in voices
    assert "Ono_Anna ja female" in voices
    locales = server.get("/locales").text.split("\n")
    assert set(locales) == {"zh_CN", "en_US", *("fr", "de", "it", "ja", "ko", "pt", "ru", "es")}
