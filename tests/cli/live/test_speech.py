"""A text is spoken while a program still writes it, wherever its bytes are cut."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import wave
from collections.abc import Iterator
from typing import IO, Any

import click
import numpy as np
import pytest

from qwen_tts_api.cli.client import ServerBusy
from qwen_tts_api.cli.live import text as module
from qwen_tts_api.cli.live.speech import speak_pipe
from qwen_tts_api.cli.live.text import PipedText
from qwen_tts_api.cli.outputs import NATIVE_RATE_HZ
from qwen_tts_api.cli.progress import ProgressLine
from qwen_tts_api.cli.speech import Answer
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.live.segment import LiveSegment
from tests.conftest import wait_until
from tests.suites.routes.test_script import silences

SAMPLES_PER_LETTER = 1600


class Speaker:
    """Speaks 1600 samples a letter, in chunks of an odd number of bytes."""

    def __init__(self, fails_at: int = -1, busy_s: float | None = None) -> None:
        self.documents: list[dict[str, Any]] = []
        self.num_closed = 0
        self._fails_at = fails_at
        self._busy_s = busy_s

    @contextlib.contextmanager
    def __call__(self, document: dict[str, Any]) -> Iterator[Answer]:
        self.documents.append(document)
        if len(self.documents) == self._fails_at:
            if self._busy_s is not None:
                raise ServerBusy("Too many requests.", self._busy_s)
            raise click.ClickException("It is gone.")
        data = np.full(SAMPLES_PER_LETTER * len(document["text"]), 1000, "<i2").tobytes()
        try:
            yield Answer(iter([data[:101], data[101:]]), "1", "voice", "")
        finally:
            self.num_closed += 1

    @property
    def texts(self) -> list[str]:
        return [document["text"] for document in self.documents]


@contextlib.contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Return the ends of a pipe, unbuffered."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as reader, os.fdopen(writing, "wb", 0) as writer:
        yield reader, writer


def speak(text: bytes | IO[bytes], speaker: Speaker, **fields: Any) -> bytes:
    """Return the file that comes of a text."""
    stream = io.BytesIO(text) if isinstance(text, bytes) else text
    document = {"audio_format": "pcm", **fields}
    progress = ProgressLine(document["audio_format"], None)
    with speak_pipe(stream, speaker, document, progress, in_real_time=False) as answer:
        return b"".join(answer.chunks)


class ByteByByte(io.BytesIO):
    """A stream whose every read has one byte."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(1)


TEXT = "Grüße, 世界. Wie geht's dir heute, mein Freund? Gut."


def test_utf_8_that_is_cut_anywhere() -> None:
    """Nothing is lost between two reads."""
    speaker = Speaker()
    assert speak(ByteByByte(TEXT.encode()), speaker)
    assert "".join(speaker.texts).replace(" ", "") == TEXT.replace(" ", "")


def test_it_is_spoken_while_the_pipe_is_open() -> None:
    """The first sentence is not waited for any longer than it takes to come."""
    speaker = Speaker()
    progress = ProgressLine("pcm", None)
    with pipe() as (reader, writer):
        writer.write(b"Hello there, how are you? And")
        document = {"audio_format": "pcm", "speaker": "Ryan", "seed": 3}
        with speak_pipe(reader, speaker, document, progress, in_real_time=False) as answer:
            assert len(next(answer.chunks)) % 2 == 0
            assert speaker.texts == ["Hello there, how are you?"]
            assert progress.delay_s is not None
            assert 0 <= progress.delay_s < 60
            assert "from word to sound" in progress.summary
            writer.write(b" you?")
            writer.close()
            assert b"".join(answer.chunks)
    assert speaker.texts == ["Hello there, how are you?", "And you?"]
    assert (answer.seed, answer.model) == ("3", "voice")
    first, second = speaker.documents
    assert first["speaker"] == second["speaker"] == "Ryan"
    assert first["seed"] == 3 != second["seed"]
    assert first["stream"] is True
    assert "normalize" not in first  # so that the model gets what it reads


def test_one_file_of_all_segments() -> None:
    """With one header, and rate and speed that hold for the whole."""
    speaker = Speaker()
    text = b"Hello there, how are you? " * 40
    data = speak(text, speaker, audio_format="wav", sample_rate=16_000, speed=2.0)
    assert len(speaker.texts) > 1
    assert all(len(each) <= module.SEGMENT_LETTERS for each in speaker.texts)
    assert all("sample_rate" not in each and "speed" not in each for each in speaker.documents)
    assert data.count(b"RIFF") == 1
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == 16_000
    letters = sum(map(len, speaker.texts))
    expected_s = letters * SAMPLES_PER_LETTER / SAMPLE_RATE_HZ / 2
    assert (len(data) - 44) / 2 / 16_000 == pytest.approx(expected_s, rel=0.1)


def test_markup_is_removed_over_cuts() -> None:
    """As the server does, unless the request says otherwise."""
    cleaned, plain = Speaker(), Speaker()
    speak(ByteByByte(b"**Hello** there. "), cleaned)
    speak(ByteByByte(b"**Hello** there. "), plain, normalize=False)
    assert cleaned.texts == ["Hello there."]
    assert plain.texts == ["**Hello** there."]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_a_pause_is_spoken_while_the_pipe_is_open(speed: float) -> None:
    """Exact at any speed, cut anywhere; the server sees no marks, nor looks for any."""
    speaker = Speaker()
    text = ByteByByte(b"[pause 300ms]**Hello [pause 1s] there** [Pause] you. [pause 2s]")
    data = speak(text, speaker, speed=speed, pause_marks=True)
    assert silences(np.frombuffer(data, "<i2"), 1000) == [7_200, 24_000, 18_000, 48_000]
    assert speaker.texts == ["Hello", "there", "you."]
    assert {document["pause_marks"] for document in speaker.documents} == {False}
    speech = len(data) / 2 - 97_200
    assert speech == pytest.approx(SAMPLES_PER_LETTER * len("Hellothereyou.") / speed, rel=0.1)
    assert len(speak(b"[pause 1s]", speaker, pause_marks=True)) == 48_000
    with pytest.raises(click.ClickException, match="'1m' is no time"):
        speak(b"Hello. [pause 1m]", speaker, pause_marks=True)


def test_a_busy_server_is_waited_for() -> None:
    """In the middle, too: the program that writes cannot say it again. Not for ever."""
    text = b"Hello there, how are you? " * 40
    calm, busy = Speaker(), Speaker(fails_at=2, busy_s=0.01)
    assert speak(text, busy, seed=1) == speak(text, calm, seed=1)
    refused = busy.documents.pop(1)
    assert refused == busy.documents[1]
    assert busy.documents == calm.documents
    with pytest.raises(ServerBusy, match="Try again in 9999 s"):
        speak(text, Speaker(fails_at=2, busy_s=9999))


@pytest.mark.parametrize("text", [b"", b" \n", b"***"])
def test_nothing_to_speak(text: bytes) -> None:
    with pytest.raises(click.ClickException, match="nothing to speak"):
        speak(text, Speaker())


def test_a_wrong_field_is_refused_before_anything_is_spoken() -> None:
    speaker = Speaker()
    with pytest.raises(click.ClickException, match="sample_rate"):
        speak(b"Hello.", speaker, sample_rate=1)
    assert not speaker.documents


def test_what_is_no_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes before it is spoken; how much that was is said."""
    speaker = Speaker()
    with pytest.raises(click.ClickException, match=r"Reading the text failed: .*utf-8"):
        speak(b"Hello. \xff", speaker)
    assert speaker.texts == ["Hello."]
    assert capsys.readouterr().err == "Spoken were 6 of 7 characters, 400 ms of audio.\n"


def test_a_server_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """What was spoken of the text is said, besides the reason."""
    speaker = Speaker(fails_at=2)

    class InTwoParts(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                wait_until(lambda: speaker.num_closed == 1)
                return super().read()
            return super().read(len("Hello there. And"))

    with pytest.raises(click.ClickException, match=r"It is gone\."):
        speak(InTwoParts(b"Hello there. And now, good night to you all."), speaker)
    assert capsys.readouterr().err == "Spoken were 12 of 44 characters, 800 ms of audio.\n"


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    """How far the text was spoken is said; what is under way is cancelled."""
    speaker = Speaker()
    with pipe() as (reader, writer):
        writer.write(b"Hello there. And")
        progress = ProgressLine("pcm", None)
        document = {"audio_format": "pcm"}
        speaking = speak_pipe(reader, speaker, document, progress, in_real_time=False)
        next(speaking.__enter__().chunks)
        assert not speaking.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        writer.close()
    assert "Spoken were " in capsys.readouterr().err
    assert speaker.num_closed == 1


def test_a_program_that_is_too_far_ahead_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that is kept is bounded."""
    monkeypatch.setattr(module, "READ_BYTES", 1000)
    monkeypatch.setattr(module, "MAX_PENDING_CHARS", 500)
    ended = threading.Event()

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if not data:
                ended.set()
            return data

    text = PipedText(Stream(b"Hello there, how are you? " * 400), normalize=True, pause_marks=False)
    segments = text.parts()
    first = next(segments)
    assert isinstance(first, LiveSegment)
    assert not ended.wait(0.5)
    assert text.num_chars <= 2000
    rest = [part.text for part in segments if isinstance(part, LiveSegment)]
    read = first.text + " ".join(["", *rest])
    assert read.count("Hello") == 400


def test_the_rate_is_the_model_s() -> None:
    assert NATIVE_RATE_HZ == SAMPLE_RATE_HZ
