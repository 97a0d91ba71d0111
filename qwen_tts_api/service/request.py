"""What a client asks for, whatever the API: the request, its defaults, format, rate and speed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS, AudioFormat
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.audio.formats import named_by
from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, UnknownFormat
from qwen_tts_api.names import MAX_SHOWN_CHARS, shown
from qwen_tts_api.service.text.script.turns import Turn

_AAC = {"aac", "adts", "m4a", "m4b", "mp4", "mp4a"}

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
        ref_audio: A recording of the voice to clone, as a file of `voices.recording.ALLOWED`.
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
        timestamps: Whether the answer has the times of segments and words.
        seed: Seed of the sampling; None is a random one.
        normalize: Whether markup, emoji and the like are taken out of the text; FULL: also whether
            numbers and the like become words; None: by setting.
        pronunciations: Words and their respellings, which go before those of the setting.
        non_streaming_mode: Whether the model hears all of a segment's text before its first frame,
            or a token in each frame; None: by kind of model, and for clones by setting.
        live_mode: How a text that arrives is spoken: `segments` or `continuous`; empty: by setting.
        max_new_tokens: At most one frame less is made of each segment; None: the text's own budget.
        temperature, top_k, top_p, repetition_penalty: As in `model.utterance.SamplingParams`.
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
    """Return a request with the settings' defaults for its language, markup and normalization."""
    pause_marks, normalize = request.pause_marks, request.normalize
    has_pauses = config.pause_marks and not request.ssml  # which has pauses of its own
    return replace(
        request,
        language=request.language or config.default_language,
        pause_marks=has_pauses if pause_marks is None else pause_marks,
        normalize=config.normalize_text if normalize is None else normalize,
    )


def choose_output(request: SpeechRequest) -> Output:
    """Return how a request wants its audio.

    Raises:
        UnknownFormat: There is no such format.
        InvalidRequest: The format cannot have the rate, or the speed is out of range.
    """
    audio_format = _format(request.audio_format)
    rate_hz = _rate(request.sample_rate_hz, audio_format)
    speed = 1.0 if request.speed is None else request.speed
    if not SLOWEST <= speed <= FASTEST:
        raise InvalidRequest(
            f"'speed' is {speed:g}; allowed are {SLOWEST:g} to {FASTEST:g}.",
            fields={"speed": [f"Must be {SLOWEST:g} to {FASTEST:g}."]},
        )
    return Output(audio_format, rate_hz, speed)


def _format(name: str) -> AudioFormat:
    wanted = name.strip().lower() or DEFAULT_FORMAT
    if wanted in FORMATS:
        return FORMATS[wanted]
    allowed = ", ".join(FORMATS)
    wanted = wanted[:MAX_SHOWN_CHARS]  # comparing takes as long as the name is
    words = set(re.findall(r"[a-z0-9]+", wanted))
    by_words = named_by(words)
    similar = difflib.get_close_matches(wanted, FORMATS, n=1)
    meant = [by_words.name] if by_words else similar
    sentence = f"Unknown audio format {shown(name)}"
    if words & _AAC:
        sentence = "AAC is not made here; use mp3 or opus instead"
    elif meant:
        sentence += f": did you mean {meant[0]!r}?"
    sentence += f"{'' if sentence.endswith('?') else ';'} allowed are {allowed}."
    raise UnknownFormat(sentence, fields={"audio_format": [f"Must be one of: {allowed}."]})


def _rate(rate_hz: int | None, audio_format: AudioFormat) -> int:
    """Return the rate that is asked for, else the format's default."""
    if rate_hz is None:
        return audio_format.default_rate_hz
    if rate_hz in audio_format.sample_rates_hz:
        return rate_hz
    allowed = ", ".join(map(str, audio_format.sample_rates_hz))
    raise InvalidRequest(
        f"'sample_rate' is {rate_hz}; allowed for {audio_format.name} are {allowed} (Hz).",
        fields={"sample_rate": [f"Must be one of: {allowed}."]},
    )


class Client(Protocol):
    """The client of a request, who may disconnect before the answer is complete."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Call back once, from another thread, when the client disconnects inside the block.

        If it has disconnected before, the call is immediate. The callback must return quickly and
        not raise.
        """


class NullClient:
    """A client that never disconnects."""

    def on_disconnect(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Never call back."""
        return nullcontext()


NULL_CLIENT = NullClient()
