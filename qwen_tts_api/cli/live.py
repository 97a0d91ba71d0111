"""`say -`: speak a text while a program is still writing it.

A thread reads standard input. What is complete of the text is requested in segments, one after the
other, of samples; they are joined and encoded here, into one file.
"""

from __future__ import annotations

import bisect
import codecs
import contextlib
import secrets
import threading
import time
from collections.abc import Generator, Iterator
from typing import IO, Any

import click
import numpy as np
import numpy.typing as npt

from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.cli.progress import Progress
from qwen_tts_api.cli.speech import Answer, Speak
from qwen_tts_api.errors import TTSError
from qwen_tts_api.service.live.audio import LETTERS_PER_S, LiveAudio
from qwen_tts_api.service.live.segment import LiveLimits, LiveSegment
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.output import choose_output
from qwen_tts_api.service.plan import PAUSES_S, RANDOM_SEED_BITS, segment_seeds
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.segments import measure

READ_BYTES = 65_536
SEGMENT_LETTERS = 400
"""The most that is requested at once, as the server's own default has it."""
MAX_PENDING_CHARS = 100_000
"""How far the program that writes may be ahead of the speech, before it has to wait."""
NO_LIMIT = 1_000_000_000

_LIMITS = LiveLimits(
    max_chars=NO_LIMIT, max_pending_chars=NO_LIMIT, max_letters=SEGMENT_LETTERS, silence_s=1e6
)


class PipedText:
    """A text that is read by a thread, and taken in segments.

    Args:
        stream: Its UTF-8, whose `read` returns what there is.
        normalize: Whether markup and the like are taken out.
    """

    def __init__(self, stream: IO[bytes], *, normalize: bool) -> None:
        self._stream = stream
        self._text = LiveText(_LIMITS, normalize=normalize)
        self._has_room = threading.Condition()
        self._error: Exception | None = None
        self._arrived: list[tuple[int, float]] = []  # how many characters had come, and when
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    @property
    def num_chars(self) -> int:
        """How many characters have been read."""
        return self._text.num_chars

    def arrived_at(self, offset: int) -> float:
        """Return when a character was read, by `time.monotonic`."""
        return self._arrived[bisect.bisect(self._arrived, (offset, float("inf")))][1]

    def segments(self) -> Iterator[LiveSegment]:
        """Yield the text in segments, as soon as each is complete.

        Raises:
            click.ClickException: The rest cannot be read.
        """
        while (segment := self._text.next()) is not None:
            with self._has_room:
                self._has_room.notify_all()
            assert isinstance(segment, LiveSegment)
            yield segment
        if self._error is not None:
            raise click.ClickException(f"The text cannot be read on: {self._error}.")

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while data := self._stream.read(READ_BYTES):
                self._append(decoder.decode(data))
            self._append(decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            self._append(error.object[: error.start].decode())
            self._error = error
        except (OSError, TTSError) as error:
            self._error = error
        self._text.finish()

    def _append(self, text: str) -> None:
        with self._has_room:
            self._has_room.wait_for(lambda: self._text.num_pending <= MAX_PENDING_CHARS)
        self._arrived.append((self.num_chars + len(text), time.monotonic()))
        self._text.append(text)


class Playback:
    """How far a text has been heard.

    Args:
        audio: Its audio.
        in_real_time: Whether a player takes it as it is heard; a file takes all at once.
    """

    def __init__(self, audio: LiveAudio, *, in_real_time: bool) -> None:
        self._audio = audio
        self._in_real_time = in_real_time
        self._begun: list[tuple[int, LiveSegment]] = []  # by the millisecond that each begins at
        self._ended: list[int] = []  # likewise, that each ends at
        self._played_until = 0.0
        self._written_ms = 0

    def begin(self, segment: LiveSegment) -> None:
        """Note that the next samples are of this segment."""
        self._begun.append((self._audio.milliseconds, segment))

    def advance(self) -> None:
        """Note that all audio so far has been handed over, or is now."""
        new_ms = self._audio.milliseconds - self._written_ms
        self._written_ms += new_ms
        self._played_until = max(self._played_until, time.monotonic()) + new_ms / 1000

    def end(self) -> None:
        """Note that all samples of the segment have been handed over."""
        self._ended.append(self._audio.milliseconds)

    @property
    def heard_ms(self) -> int:
        """How many milliseconds have been heard."""
        rest_s = max(0.0, self._played_until - time.monotonic()) if self._in_real_time else 0.0
        return max(0, self._written_ms - round(1000 * rest_s))

    @property
    def heard_chars(self) -> int:
        """How many characters of the text; within a segment an estimate, by its time."""
        heard_ms, index = self.heard_ms, -1
        while index + 1 < len(self._begun) and self._begun[index + 1][0] <= heard_ms:
            index += 1
        if index < 0:
            return 0
        begin_ms, segment = self._begun[index]
        if index < len(self._ended):
            end_ms = self._ended[index]
        else:
            expected_ms = 1000 * measure(segment.text) // LETTERS_PER_S
            end_ms = max(self._written_ms, begin_ms + expected_ms)
        share = min(1.0, (heard_ms - begin_ms) / max(1, end_ms - begin_ms))
        return segment.start + int(share * (segment.end - segment.start))


class PipeSpeech:
    """The speech of a text that is still being written: segments that are requested one by one.

    Args:
        text: What to say.
        speak: Speaks a segment.
        document: For `POST /api/tts`, without the text.
        progress: Is told how long a word takes to become sound.
        in_real_time: Whether a player takes the audio.

    Attributes:
        answer: Its audio.
    """

    def __init__(
        self,
        text: PipedText,
        speak: Speak,
        document: dict[str, Any],
        progress: Progress,
        *,
        in_real_time: bool,
    ) -> None:
        self._text = text
        self._speak = speak
        self._common = {
            **{name: value for name, value in document.items() if name not in _OF_THE_WHOLE},
            **{"audio_format": "pcm", "stream": True, "normalize": False},
        }
        self._progress = progress
        self._audio = LiveAudio(_choose_output(document), stream=True, per_segment=False)
        self._playback = Playback(self._audio, in_real_time=in_real_time)
        self._seed = document.get("seed", secrets.randbits(RANDOM_SEED_BITS))
        self._chunks = self._make_chunks()
        self.answer = Answer(filter(None, self._chunks), str(self._seed), "", False)

    @property
    def how_far(self) -> str:
        """Return how much of the text has been heard, in words."""
        playback = self._playback
        return (
            f"Spoken were {playback.heard_chars} of {self._text.num_chars} characters, "
            f"{playback.heard_ms} ms of audio."
        )

    def close(self) -> None:
        """Cancel the segment that is spoken."""
        self._chunks.close()

    def _make_chunks(self) -> Generator[bytes, None, None]:
        seeds = segment_seeds(self._seed)
        for number, segment in enumerate(self._text.segments()):
            yield self._audio.begin(number)
            self._playback.begin(segment)
            fields = {**self._common, "text": segment.text, "seed": next(seeds)}
            with self._speak(fields) as spoken:
                self.answer.model = spoken.model
                for samples in _samples(spoken.chunks):
                    if not self._audio.segment_samples:
                        arrived_at = self._text.arrived_at(segment.start)
                        self._progress.delay_s = time.monotonic() - arrived_at
                    chunk = self._audio.write(samples)
                    self._playback.advance()
                    yield chunk
            yield self._audio.end_segment(PAUSES_S[segment.boundary])
            self._playback.end()
        if not self.answer.model:
            raise click.ClickException("There is nothing to speak in the text.")
        yield self._audio.finish()


@contextlib.contextmanager
def speak_pipe(
    pipe: IO[bytes],
    speak: Speak,
    document: dict[str, Any],
    progress: Progress,
    *,
    in_real_time: bool,
) -> Iterator[Answer]:
    """Speak a text while it is written; where that ends early, say how far it has been heard.

    Args:
        pipe: Has the text in UTF-8; its `read` returns what there is.
        speak, document, progress, in_real_time: As of `PipeSpeech`.

    Raises:
        click.ClickException: Of a segment; what was spoken before it has been handed over.
    """
    text = PipedText(pipe, normalize=document.get("normalize") is not False)
    speech = PipeSpeech(text, speak, document, progress, in_real_time=in_real_time)
    try:
        with contextlib.closing(speech):
            yield speech.answer
    except (KeyboardInterrupt, click.ClickException):
        progress.stop(speech.how_far)
        raise


_OF_THE_WHOLE = ("audio_format", "sample_rate", "speed")
"""Fields that hold for all segments together, whose samples are joined first."""


def _choose_output(document: dict[str, Any]) -> Output:
    rate_hz, speed = document.get("sample_rate"), document.get("speed")
    try:
        return choose_output(
            SpeechRequest(
                audio_format=document["audio_format"], sample_rate_hz=rate_hz, speed=speed
            )
        )
    except TTSError as error:
        raise click.ClickException(error.message) from error


def _samples(chunks: Iterator[bytes]) -> Iterator[npt.NDArray[np.int16]]:
    """Yield the samples in 16-bit PCM that is cut anywhere."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        end = len(data) // 2 * 2
        rest = data[end:]
        if end:
            yield np.frombuffer(data[:end], "<i2")
