"""Word by word, over a socket of a server."""

from __future__ import annotations

import contextlib
import io
import os
import wave
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import IO, Any

import click
import numpy as np
import pytest

from qwen_tts_api.cli.client import ServerClient
from qwen_tts_api.cli.live import words
from qwen_tts_api.cli.live.words import WordSpeech, speak_words
from qwen_tts_api.cli.progress import ProgressLine
from qwen_tts_api.cli.speech import Answer
from tests.cli.live.test_speech import ByteByByte, pipe
from tests.conftest import wait_until
from tests.routes.live.conftest import ServePort
from tests.routes.live.serving import Port
from tests.suites.routes.test_script import silences


@contextlib.contextmanager
def speaking(port: Port, text: IO[bytes], **fields: Any) -> Iterator[Answer]:
    """Speak a text; the block gets its audio."""
    document = {"audio_format": "pcm", "speaker": "Ryan", **fields}
    client = ServerClient(port.url.replace("ws", "http"), 10)
    progress = ProgressLine(document["audio_format"], None)
    with speak_words(text, client, document, progress, in_real_time=False) as answer:
        yield answer


def speak(port: Port, text: bytes, **fields: Any) -> bytes:
    """Return the file that comes of a text."""
    with speaking(port, ByteByByte(text), **fields) as answer:
        return b"".join(answer.chunks)


def test_a_word_is_heard_before_its_sentence_ends(serve_port: ServePort) -> None:
    port, _ = serve_port()
    with pipe() as (reader, writer):
        writer.write(b"One word and ")
        with speaking(port, reader, model="voice") as answer:
            assert next(answer.chunks)
            assert answer.model == "voice"
            writer.write(b"another.")
            writer.close()
            assert b"".join(answer.chunks)


def test_it_is_one_file_of_the_whole_text(
    serve_port: ServePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any format, rate and speed; cut in a letter, and longer than the server lets wait."""
    monkeypatch.setattr(words, "MAX_AHEAD_CHARS", 200)
    port, bench = serve_port(max_text_chars=300, live_pending_chars=400)
    bench.runner.gate.clear()
    num_ahead = WordSpeech._num_ahead
    seen: list[tuple[int, int]] = []

    def open_at_bound(speech: WordSpeech) -> int:
        """Nothing is spoken before the text is as far ahead as it may be."""
        ahead = num_ahead(speech)
        seen.append((speech._num_sent, ahead))
        if ahead > 200:
            bench.runner.gate.set()
        return ahead

    monkeypatch.setattr(WordSpeech, "_num_ahead", open_at_bound)
    beginning, rest = (
        ByteByByte("Grüße, 世界. ".encode()),
        io.BytesIO("Grüße, 世界. ".encode() * 90),
    )
    text: Any = SimpleNamespace(read=lambda size: beginning.read(size) or rest.read(size))
    with speaking(port, text, audio_format="wav", sample_rate=16_000, speed=2.0, seed=3) as answer:
        data = b"".join(answer.chunks)
    waited = [sent == sent_next for (sent, ahead), (sent_next, _) in pairwise(seen) if ahead > 200]
    assert waited
    assert all(waited)
    assert data.count(b"RIFF") == 1
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == 16_000
    wait_until(lambda: not bench.service.status().running)


def test_a_pause_is_exact_at_any_speed(serve_port: ServePort) -> None:
    port, _ = serve_port()
    data = speak(port, b"Hello [pause 1s] you.", speed=2.0, pause_marks=True)
    assert silences(np.frombuffer(data, "<i2"), 1000) == [24_000]
    assert len(data) / 2 == pytest.approx(24_000 + len("Helloyou.") * 1920 / 2, rel=0.1)


def test_an_interruption_tells_how_far_it_was_heard(
    serve_port: ServePort, capsys: pytest.CaptureFixture[str]
) -> None:
    port, bench = serve_port()

    def interrupt(reader: IO[bytes]) -> None:
        with speaking(port, reader) as answer:
            assert next(answer.chunks)
            raise KeyboardInterrupt

    with pipe() as (reader, writer):
        writer.write(b"word " * 100)
        with pytest.raises(KeyboardInterrupt):
            interrupt(reader)
    told = capsys.readouterr().err
    assert "of 500 characters" in told
    assert "Spoken were 0 " not in told
    wait_until(lambda: not bench.service.status().running)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"ref_audio": "UklGRg=="}, "register the voice"),
        ({"speaker": "nobody"}, "nobody"),
        ({"temperature": 11}, "temperature"),
        ({"audio_format": "wma"}, "wma"),
        ({"unheard": 1}, "unheard would be without effect"),
    ],
)
def test_what_cannot_be_had_is_explained(
    serve_port: ServePort, fields: dict[str, Any], word: str
) -> None:
    port, _ = serve_port()
    with pytest.raises(click.ClickException, match=word):
        speak(port, b"Hello.", **fields)


def test_a_server_without_sockets_says_so(serve_port: ServePort, tmp_path: Any) -> None:
    port, _ = serve_port(max_sockets=0)
    with pytest.raises(click.ClickException, match="QWEN_MAX_SOCKETS"):
        speak(port, b"Hello.")


@pytest.mark.parametrize("text", [b"", b" \n"])
def test_nothing_to_speak(serve_port: ServePort, text: bytes) -> None:
    port, _ = serve_port()
    with pytest.raises(click.ClickException, match="nothing to speak"):
        speak(port, text)


def test_the_key_is_the_environment_s(
    serve_port: ServePort, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("alice-0123456789abcdef")
    port, _ = serve_port(api_keys_file=keys)
    with pytest.raises(click.ClickException, match="key"):
        speak(port, b"Hello.")
    monkeypatch.setitem(os.environ, "TTS_API_KEY", "alice-0123456789abcdef")
    assert speak(port, b"Hello.")
