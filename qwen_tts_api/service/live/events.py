"""The events of a live text."""

from __future__ import annotations

from dataclasses import dataclass

from qwen_tts_api.errors import TTSError
from qwen_tts_api.service.times.timed import TimedSegment


@dataclass(frozen=True)
class SegmentBegins:
    """A segment begins; its audio follows.

    Attributes:
        index: Its number, from 0, among all segments of the text.
        text: What is spoken, normalized; in the mode `continuous` its first words.
        offset: Where it begins, in characters of all text that was appended.
    """

    index: int
    text: str
    offset: int


@dataclass(frozen=True)
class AudioChunk:
    """The next bytes of audio, in the request's format."""

    data: bytes


@dataclass(frozen=True)
class SegmentEnded:
    """All audio of a segment has been yielded.

    Attributes:
        index: Of its `SegmentBegins`.
        text: What was spoken.
        num_samples: How many samples of `model.utterance.SAMPLE_RATE_HZ` it had, without pauses.
        finish_reason: `stop`; `length` where the frame budget ended it, `loop` where it repeated
            itself; empty with an error.
        error: What ended it before its end, or None. With a container for each segment the text
            goes on behind it, and its bytes are to be discarded; else it is raised next.
        times: When it is heard in its container, if that was asked for and it came to its end.
    """

    index: int
    text: str
    num_samples: int
    finish_reason: str
    error: TTSError | None = None
    times: TimedSegment | None = None


@dataclass(frozen=True)
class Flushed:
    """All text before the `number`th call of `flush`, from 1, has been spoken or had no words."""

    number: int


@dataclass(frozen=True)
class Ended:
    """Nothing follows.

    Attributes:
        finish_reason: `stop`; `loop` or `length` where that ended any segment; `nothing_to_say`
            where no segment was spoken; `cancelled` behind `LiveSpeech.cancel`.
    """

    finish_reason: str


LiveEvent = SegmentBegins | AudioChunk | SegmentEnded | Flushed | Ended


@dataclass(frozen=True)
class Delivered:
    """How much of a text was yielded as audio; the listener may not have heard all of it yet.

    Attributes:
        characters: Of all text that was appended; within a segment an estimate, by its time.
        milliseconds: Of audio, pauses included.
    """

    characters: int
    milliseconds: int


@dataclass(frozen=True)
class LiveInfo:
    """What is known of the audio before there is any.

    Attributes:
        media_type: Of the container, or of each.
        sample_rate_hz: The audio's.
        model: The model's name.
        seed: Of the first segment; those of others depend on it alone.
        mode: `segments` or `continuous`; the former where the model cannot do the latter.
        ignored: The request's fields that are ignored.
        is_marked: Whether it is marked as made by AI.
    """

    media_type: str
    sample_rate_hz: int
    model: str
    seed: int
    mode: str
    ignored: tuple[str, ...]
    is_marked: bool
