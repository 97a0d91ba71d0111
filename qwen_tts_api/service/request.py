"""What a client asks for and what it gets, whatever the API."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

from qwen_tts_api.config import Config
from qwen_tts_api.service.text.normalize import NormalizedText
from qwen_tts_api.service.text.script.turns import Turn
from qwen_tts_api.service.times.timed import TimedSegment, Times

FULL = "full"
"""Of `normalize`: numbers, dates, units, abbreviations and signs are written as words, too."""


@dataclass(frozen=True)
class SpeechRequest:
    """One request for speech. An empty string and None mean: the default.

    Only the text has none.

    Attributes:
        text: What to say; empty where there are turns.
        turns: What several speakers say, one after the other.
        ssml: Whether the text is SSML.
        pause_marks: Whether `[pause 1.5s]` in the text is a pause; None: by setting.
        speaker_marks: Whether lines of the text may begin with a speaker: `[Ryan] Hello.`.
        break_tags: Whether `<break time="1.5s"/>` is a pause in a text that is no SSML.
        language: A language's name or code, or `Auto`.
        speaker: A speaker's name or alias, or a registered voice's name or id.
        instruct: How to say it, or, for a VoiceDesign model, the voice.
        ref_audio: A recording of the voice to clone, as a file of `reference_audio.ALLOWED`.
        ref_text: What is said in it.
        x_vector_only_mode: Take the speaker's embedding alone; `ref_text` is not needed.
        model: One of the served models.
        audio_format: One of `audio.FORMATS`.
        sample_rate_hz: One of the format's rates.
        speed: 0.25 to 4; above 1 is faster, at the same pitch.
        stream: Whether the audio is sent as it is made.
        lenient: Ignore fields that the model has no use for, if that does no harm, and name them in
            the response, instead of refusing them.
        silence: Answer a text with nothing to say with a short silence, instead of refusing it.
        timestamps: Whether it is told when each segment and word is heard.
        seed: Seed of the sampling; None is a random one.
        normalize: Whether markup, emoji and the like are taken out of the text; FULL: also whether
            numbers and the like become words; None: by setting.
        pronunciations: Words and their respellings, which go before those of the setting.
        non_streaming_mode: Whether the model hears all of a segment's text before its first frame,
            or a token in each frame; None: by kind of model, and for clones by setting.
        live_mode: How a text that arrives is spoken: `segments` or `continuous`; empty: by setting.
        max_new_tokens: At most one frame less is made of each segment; None: the text's own budget.
        temperature, top_k, top_p, repetition_penalty: As in `model.utterance.Sampling`.
        subtalker_temperature, subtalker_top_k, subtalker_top_p: Likewise.
    """

    text: str = ""
    turns: tuple[Turn, ...] = ()
    ssml: bool = False
    pause_marks: bool | None = None
    speaker_marks: bool = False
    break_tags: bool = False
    language: str = ""
    speaker: str = ""
    instruct: str = ""
    ref_audio: bytes | None = field(default=None, repr=False)
    ref_text: str = ""
    x_vector_only_mode: bool = False
    model: str = ""
    audio_format: str = ""
    sample_rate_hz: int | None = None
    speed: float | None = None
    stream: bool = False
    lenient: bool = False
    silence: bool = False
    timestamps: bool = False
    seed: int | None = None
    normalize: bool | str | None = None
    pronunciations: tuple[tuple[str, str], ...] = ()
    non_streaming_mode: bool | None = None
    live_mode: str = ""
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    subtalker_temperature: float | None = None
    subtalker_top_k: int | None = None
    subtalker_top_p: float | None = None

    @property
    def written_text(self) -> str:
        """All characters of it, which places in it are counted in."""
        return self.text or "".join(turn.text for turn in self.turns)

    @property
    def whole_text(self) -> str:
        """All that is to be said, as it came."""
        return self.text or "\n".join(turn.text for turn in self.turns)


def with_defaults(config: Config, request: SpeechRequest) -> SpeechRequest:
    """Return a request that says by itself what a setting says of its text where it is silent."""
    pause_marks, normalize = request.pause_marks, request.normalize
    has_pauses = config.pause_marks and not request.ssml  # which has pauses of its own
    return replace(
        request,
        language=request.language or config.default_language,
        pause_marks=has_pauses if pause_marks is None else pause_marks,
        normalize=config.normalize_text if normalize is None else normalize,
    )


class Client(Protocol):
    """Whoever waits for an answer, and may disconnect before it is there."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Call back once, in another thread, as soon as the client disconnects inside the block.

        If it has disconnected already, that is at once. The callback must be quick and not raise.
        """


class NullClient:
    """A client that never disconnects."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Never call back."""
        return nullcontext()


NULL_CLIENT = NullClient()


@dataclass(frozen=True)
class SpeechInfo:
    """The description of a request's audio: what is known when its first samples are there.

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
    """What a request has cost so far.

    Attributes:
        num_text_tokens: Tokens of the text.
        num_frames: Frames of audio, 12.5 a second.
        finish_reason: As `SpeechInfo.finish_reason`.
    """

    num_text_tokens: int
    num_frames: int
    finish_reason: str = ""


@dataclass(frozen=True)
class Speech:
    """A whole audio file.

    Attributes:
        info: Its description.
        data: The file's bytes.
        duration_s: Length of the audio in seconds.
        model_s: Seconds that the model took.
        encode_s: Seconds that speed, rate and format took; most of them while the model works.
        usage: What it has cost.
        times: When what is heard, if that was asked for.
    """

    info: SpeechInfo
    data: bytes
    duration_s: float
    model_s: float
    encode_s: float
    usage: TokenUsage
    times: Times | None = None


class StreamProgress(Protocol):
    """How far a stream is."""

    @property
    def finish_reason(self) -> str:
        """As in `SpeechInfo`."""

    @property
    def times(self) -> Times | None:
        """When what is heard, as far as it has ended, if that was asked for."""

    @property
    def expected(self) -> TimedSegment | None:
        """When the segment that is being made is likely to be heard, likewise."""


class SpeechStream(Iterator[bytes]):
    """The chunks of an audio file that is still being made; the first one is there already.

    Iterating raises a TTSError where the rest cannot be made: what was sent must then not look
    finished. Closing it cancels the work.

    Args:
        info: Its description.
        first: The first chunk.
        others: Those that follow.
        usage: Returns the usage so far.
        progress: What is known of the audio so far.

    Attributes:
        info: As given.
        progress: As given.
    """

    def __init__(
        self,
        info: SpeechInfo,
        first: bytes,
        others: Generator[bytes, None, None],
        usage: Callable[[], TokenUsage],
        progress: StreamProgress,
    ) -> None:
        self.info = info
        self.progress = progress
        self._first: bytes | None = first
        self._others = others
        self._usage = usage

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._others) if first is None else first

    @property
    def usage(self) -> TokenUsage:
        """Return the usage so far."""
        return self._usage()

    def close(self) -> None:
        """Cancel the work; may be called at any time, and again."""
        self._others.close()
