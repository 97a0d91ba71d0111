"""What a client gets, whatever the API: a whole audio file, or a stream with its progress."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from qwen_tts_api.service.text.normalize import NormalizedText
from qwen_tts_api.service.times.timed import TimedSegment, Times


@dataclass(frozen=True)
class SpeechInfo:
    """The description of a request's audio, known when its first samples are available.

    Attributes:
        media_type: The file's `Content-Type`.
        sample_rate_hz: The audio's.
        model: Name of the model.
        seed: Seed of the sampling.
        text: What is spoken, and what was taken out of the text.
        num_segments: How many segments the text has; 0 where it has nothing to say.
        queue_s: Seconds until the model began with it.
        finish_reason: `stop`, `length`, `loop` or `nothing_to_say`; empty while it is not known.
        ignored: The request's fields that are ignored.
        is_marked: Whether it is marked as made by AI.
    """

    media_type: str
    sample_rate_hz: int
    model: str
    seed: int
    text: NormalizedText
    num_segments: int
    queue_s: float
    finish_reason: str
    ignored: tuple[str, ...]
    is_marked: bool


@dataclass(frozen=True)
class TokenUsage:
    """How many tokens a request has used so far.

    Attributes:
        num_text_tokens: Tokens of the text.
        num_frames: Frames of audio, 12.5 a second.
    """

    num_text_tokens: int
    num_frames: int


@dataclass(frozen=True)
class Speech:
    """A whole audio file.

    Attributes:
        info: Its description.
        data: The file's bytes.
        duration_s: Length of the audio in seconds.
        model_s: Seconds that the model took.
        encode_s: Seconds that speed, rate and format took; most of them while the model works.
        usage: Its token usage.
        times: The times of its segments and words, if the request asks for them.
    """

    info: SpeechInfo
    data: bytes
    duration_s: float
    model_s: float
    encode_s: float
    usage: TokenUsage
    times: Times | None = None


class StreamProgress(Protocol):
    """The progress of a stream."""

    @property
    def finish_reason(self) -> str:
        """As in `SpeechInfo`."""

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""

    @property
    def times(self) -> Times | None:
        """The times of the segments that have ended, if the request asks for times."""

    @property
    def expected(self) -> TimedSegment | None:
        """The expected times of the current segment, likewise."""


class SpeechStream(Iterator[bytes]):
    """The chunks of an audio file that is still being made; the first one is available.

    Iterating raises a TTSError if the synthesis fails: the response must then not look complete.
    Closing it cancels the synthesis.

    Args:
        info: Its description.
        first: The first chunk.
        others: The chunks that follow.
        progress: Its progress.

    Attributes:
        info: As given.
        progress: As given.
    """

    def __init__(
        self,
        info: SpeechInfo,
        first: bytes,
        others: Generator[bytes, None, None],
        progress: StreamProgress,
    ) -> None:
        self.info = info
        self.progress = progress
        self._first: bytes | None = first
        self._others = others

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._others) if first is None else first

    def close(self) -> None:
        """Cancel the work; may be called at any time, and again."""
        self._others.close()
