"""Plan the answer to a request: its format, and its segments, each with a prompt for the model."""

from __future__ import annotations

import difflib
import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS, AudioFormat
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.audio.formats import named_by
from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, NotSupported, UnknownFormat
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, SamplingParams
from qwen_tts_api.names import MAX_SHOWN_CHARS, shown
from qwen_tts_api.service.models import resolve_language
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.normalize import NormalizedText, check_instruct
from qwen_tts_api.service.text.segments import split
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.voices.resolve import ResolvedVoice

RANDOM_SEED_BITS = 53
"""Of a seed that is random: JavaScript has no larger whole numbers, and would send back another."""

_SAMPLING_FIELDS = tuple(field.name for field in fields(SamplingParams))

_AAC = {"aac", "adts", "m4a", "m4b", "mp4", "mp4a"}

POSITIONS_PER_LETTER = 2
"""A letter of a text takes 0.3 positions for its tokens and 0.8 for its frames, at 15 letters and
12.5 frames a second; the rest is for slow speech and for languages with more tokens."""

PAUSES_S = {
    Boundary.PARAGRAPH: 0.6,
    Boundary.SENTENCE: 0.25,
    Boundary.LINE: 0.25,
    Boundary.CLAUSE: 0.12,
    Boundary.WORD: 0.0,
    Boundary.CHARACTER: 0.0,
}


@dataclass(frozen=True)
class SpeechSegment:
    """A segment of a request's text, which the model speaks as one utterance.

    Attributes:
        prompt: For the model.
        pause_s: The pause between it and the next segment.
    """

    prompt: Prompt
    pause_s: float


@dataclass(frozen=True)
class SpeechPlan:
    """What a request is answered with.

    Attributes:
        output: The format of its audio.
        text: What is spoken.
        voice: The model and the voice that speak it.
        segments: Of the text.
    """

    output: Output
    text: NormalizedText
    voice: ResolvedVoice
    segments: Sequence[SpeechSegment]


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


def make_segments(config: Config, text: str, voice: ResolvedVoice) -> list[SpeechSegment]:
    """Return the segments of a request, with the settings' defaults filled in.

    Args:
        config: The settings.
        text: Of the request, checked and normalized; may be empty, which is one segment.
        voice: The model and the voice that speak it, and what else the request asks for.

    Raises:
        InvalidRequest: The model does not honour a field of the request.
    """
    return divide(make_prompt(config, text, voice), max_letters(config, voice.card))


def make_prompt(config: Config, text: str, voice: ResolvedVoice) -> Prompt:
    """Return the prompt for all of a text: see `make_segments`."""
    request = voice.request
    return Prompt(
        text=text,
        language=resolve_language(request.language or config.default_language, voice.card),
        speaker=voice.speaker,
        instruct=_instruct(config, voice),
        sampling=_sampling(request),
        max_new_tokens=request.max_new_tokens,
        streaming=request.stream,
        reference=voice.reference,
    )


def max_letters(config: Config, card: ModelCard) -> int:
    """Return how long a model's segments may be, in letters as `segments.measure` counts.

    A designed voice is invented for each segment, so that there the text is only divided where the
    model could not hold it.
    """
    limit = config.max_positions // POSITIONS_PER_LETTER
    return limit if card.kind == "voice_design" else min(limit, config.max_segment_chars)


def divide(prompt: Prompt, max_letters: int) -> list[SpeechSegment]:
    """Return the segments of a prompt; a text that fits is one, and its prompt unchanged."""
    segments = split(prompt.text, max_letters)
    if len(segments) == 1 and segments[0].text == prompt.text:
        return [SpeechSegment(prompt, PAUSES_S[segments[0].boundary])]
    seeds = segment_seeds(prompt.sampling.seed)
    return [
        SpeechSegment(
            replace(prompt, text=segment.text, sampling=replace(prompt.sampling, seed=seed)),
            PAUSES_S[segment.boundary],
        )
        for segment, seed in zip(segments, seeds, strict=False)
    ]


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
    """Return the rate that is asked for, else the model's own, else the format's first."""
    if rate_hz is None:
        return audio_format.default_rate_hz(SAMPLE_RATE_HZ)
    if rate_hz in audio_format.sample_rates_hz:
        return rate_hz
    allowed = ", ".join(map(str, audio_format.sample_rates_hz))
    raise InvalidRequest(
        f"'sample_rate' is {rate_hz}; allowed for {audio_format.name} are {allowed} (Hz).",
        fields={"sample_rate": [f"Must be one of: {allowed}."]},
    )


def _instruct(config: Config, voice: ResolvedVoice) -> str:
    requested = voice.request.instruct
    instruct = requested or config.default_instruct
    if not instruct:
        return ""
    if voice.card.takes_instruct:
        return check_instruct(instruct)
    if requested.strip():
        model = voice.model
        advice = "" if voice.card.kind == "base" else " or use a 1.7B one"
        raise NotSupported(
            lambda field: (
                f"The model {model!r} does not take {field('instruct')}: leave it out{advice}."
            ),
            fields={"instruct": ["This model does not take it."]},
        )
    return ""


def _sampling(request: SpeechRequest) -> SamplingParams:
    """Return how to sample: what the request says, and the published defaults for the rest."""
    given = {name: getattr(request, name) for name in _SAMPLING_FIELDS}
    given["seed"] = secrets.randbits(RANDOM_SEED_BITS) if request.seed is None else request.seed
    return SamplingParams(**{name: value for name, value in given.items() if value is not None})


def segment_seeds(first: int) -> Iterator[int]:
    """Yield a seed for each segment: the given one, and others that only depend on it."""
    yield first
    number = 1
    while True:
        digest = hashlib.sha256(f"{first} {number}".encode()).digest()
        yield int.from_bytes(digest[:8], "big") >> 1
        number += 1
