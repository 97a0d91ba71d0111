"""The speech of a text that is still being written.

What is complete of the text is requested in segments, one after the other, of samples; they are
joined and encoded here, into one file.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Generator, Iterator
from typing import IO, Any

import click
import numpy as np
import numpy.typing as npt

from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.cli.client import ServerBusy
from qwen_tts_api.cli.live.playback import Playback
from qwen_tts_api.cli.live.text import PipedText
from qwen_tts_api.cli.progress import ProgressLine
from qwen_tts_api.cli.speech import Answer, Speak
from qwen_tts_api.errors import TTSError
from qwen_tts_api.service.live.audio import LiveAudio, choose_tempo
from qwen_tts_api.service.live.segment import LiveSegment
from qwen_tts_api.service.plan import PAUSES_S, RANDOM_SEED_BITS, segment_seeds
from qwen_tts_api.service.request import SpeechRequest, choose_output
from qwen_tts_api.service.synthesis.concatenate import at_speed
from qwen_tts_api.service.text.stable_text import StatedPause
from qwen_tts_api.service.times.timeline import Timeline

MAX_BUSY_S = 120.0
"""How long a server is waited for that is busy, for each segment."""


class PipeSpeech:
    """The speech of a text that is still being written: segments that are requested one by one.

    Args:
        text: What to say.
        speak: Speaks a segment.
        document: For `POST /api/tts`, without the text.
        progress: Shows how long it takes from a word to its audio.
        in_real_time: Whether a player takes the audio.

    Attributes:
        answer: Its audio.
    """

    def __init__(
        self,
        text: PipedText,
        speak: Speak,
        document: dict[str, Any],
        progress: ProgressLine,
        *,
        in_real_time: bool,
    ) -> None:
        self._text = text
        self._speak = speak
        self._common = {
            **{name: value for name, value in document.items() if name not in OF_THE_WHOLE},
            **{"audio_format": "pcm", "stream": True},
        }
        if document.get("pause_marks"):
            self._common["pause_marks"] = False  # they are taken out here
        self._progress = progress
        output, tempo = choose_file(document)
        timeline = Timeline(output) if document.get("timestamps") else None
        self._audio = LiveAudio(output, timeline, tempo=tempo, stream=True, per_segment=False)
        self._playback = Playback(self._audio, in_real_time=in_real_time)
        self._seed = document.get("seed", secrets.randbits(RANDOM_SEED_BITS))
        self._chunks = self._make_chunks()
        self.answer = Answer(filter(None, self._chunks), str(self._seed), "", "")

    @property
    def how_far(self) -> str:
        """Return how much of the text has been heard, in words."""
        return self._playback.describe(self._text.num_chars)

    def close(self) -> None:
        """Cancel the segment that is spoken."""
        self._chunks.close()

    def _make_chunks(self) -> Generator[bytes, None, None]:
        seeds = segment_seeds(self._seed)
        is_empty = True
        for part in self._text.parts():
            if isinstance(part, StatedPause):
                yield from self._pause(part)
            else:
                yield from self._speak_segment(part, next(seeds))
            is_empty = False
        if is_empty:
            raise click.ClickException("There is nothing to speak in the text.")
        yield self._audio.finish()
        self.answer.times = self._audio.times

    def _speak_segment(self, segment: LiveSegment, seed: int) -> Iterator[bytes]:
        yield self._audio.begin(segment.start)
        self._playback.begin(segment)
        fields = {**self._common, "text": segment.text, "seed": seed}
        with contextlib.ExitStack() as stack:
            spoken = self._begin(fields, stack)
            self.answer.model = spoken.model
            for samples in at_speed(_samples(spoken.chunks), self._audio.tempo):
                if not self._audio.segment_samples:
                    arrived_at = self._text.arrived_at(segment.start)
                    self._progress.delay_s = time.monotonic() - arrived_at
                if self._text.find_pause(segment) is not None:
                    self._audio.expect_pause()
                chunk = self._audio.write(samples)
                self._playback.advance()
                yield chunk
        self._audio.time_segment(segment)
        if (pause := self._text.find_pause(segment)) is not None:
            yield from self._pause(pause)
        else:
            yield self._audio.end_segment(PAUSES_S[segment.boundary])
        self._playback.advance()
        self._playback.end()

    def _pause(self, pause: StatedPause) -> Iterator[bytes]:
        for silence in self._audio.pause(pause.seconds):
            self._playback.advance()
            yield silence

    def _begin(self, fields: dict[str, Any], stack: contextlib.ExitStack) -> Answer:
        """Request a segment; its text cannot be read again, so a busy server is waited for.

        Raises:
            click.ClickException: It is refused for another reason, or for too long.
        """
        until = time.monotonic() + MAX_BUSY_S
        while True:
            try:
                return stack.enter_context(self._speak(fields))
            except ServerBusy as busy:
                if time.monotonic() + busy.retry_after_s > until:
                    raise
                self._progress.say(f"waiting for {busy.retry_after_s:g} s: {busy.message}")
                time.sleep(busy.retry_after_s)


@contextlib.contextmanager
def speak_pipe(
    pipe: IO[bytes],
    speak: Speak,
    document: dict[str, Any],
    progress: ProgressLine,
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
    normalize, pause_marks = document.get("normalize") is not False, document.get("pause_marks")
    text = PipedText(pipe, normalize=normalize, pause_marks=bool(pause_marks))
    speech = PipeSpeech(text, speak, document, progress, in_real_time=in_real_time)
    try:
        with contextlib.closing(speech):
            yield speech.answer
    except (KeyboardInterrupt, click.ClickException):
        progress.stop(speech.how_far)
        raise


OF_THE_WHOLE = ("audio_format", "sample_rate", "speed", "timestamps")
"""Fields that hold for all segments together, whose samples are joined first."""


def choose_file(document: dict[str, Any]) -> tuple[Output, float]:
    """Return how a document wants its file, and the tempo of what is between stated pauses.

    Raises:
        click.ClickException: There is no such file.
    """
    rate_hz, speed = document.get("sample_rate"), document.get("speed")
    try:
        output = choose_output(
            SpeechRequest(
                audio_format=document["audio_format"], sample_rate_hz=rate_hz, speed=speed
            )
        )
    except TTSError as error:
        raise click.ClickException(error.message) from error
    return choose_tempo(output, has_marks=bool(document.get("pause_marks")))


def _samples(chunks: Iterator[bytes]) -> Iterator[npt.NDArray[np.int16]]:
    """Yield the samples in 16-bit PCM that is cut anywhere."""
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        end = len(data) // 2 * 2
        rest = data[end:]
        if end:
            yield np.frombuffer(data[:end], "<i2")
