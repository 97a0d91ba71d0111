"""Plan the answer to a request: its format, and its segments, each with a prompt for the model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.audio.provenance import Provenance
from qwen_tts_api.audio.rates import FASTEST, SLOWEST
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, NotSupported
from qwen_tts_api.model.utterance import (
    MAX_LETTERS_IN_FRAMES,
    MAX_TRAILING_TOKENS,
    Prompt,
    SamplingParams,
    derived_seed,
)
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.normalize import NormalizedText
from qwen_tts_api.service.text.script.passage import Script
from qwen_tts_api.service.text.segments import find_starts, split
from qwen_tts_api.service.text.sentences import Boundary
from qwen_tts_api.service.times.timed import SegmentText
from qwen_tts_api.service.voices.resolve import ResolvedVoice

RANDOM_SEED_BITS = 53
"""Of a seed that is random: JavaScript has no larger whole numbers, and would send back another."""

_SAMPLING_FIELDS = tuple(field.name for field in fields(SamplingParams))

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
        is_stated: Whether the text states that pause, so that it is exact, even behind the last.
        speed: Of its audio: 2 is twice as fast, at the same pitch. Pauses are not changed by it.
        voice: The name of its voice, where the text has several.
        written: What the client wrote of it, where the answer has times of that.
    """

    prompt: Prompt
    pause_s: float
    is_stated: bool = False
    speed: float = 1.0
    voice: str = ""
    written: Written | None = None

    @property
    def said(self) -> SegmentText:
        """The text with all that its times depend on."""
        return SegmentText(self.prompt.text, self.speed, self.voice, self.written)


@dataclass(frozen=True)
class SpeechPlan:
    """The plan of the answer to a request.

    Attributes:
        output: Format, rate and speed of the audio.
        text: The text to be spoken.
        voice: The model, and the voice of the first passage.
        segments: The segments of the text.
        provenance: The metadata of the audio file: model, voices and seed.
        lead_s: The stated pause before the first segment.
        ignored: The request's fields that are ignored.
    """

    output: Output
    text: NormalizedText
    voice: ResolvedVoice
    segments: Sequence[SpeechSegment]
    provenance: Provenance
    lead_s: float = 0.0
    ignored: tuple[str, ...] = ()


def make_plan(
    config: Config,
    output: Output,
    text: NormalizedText,
    script: Script,
    voices: Sequence[ResolvedVoice],
) -> SpeechPlan:
    """Return the plan of a request, with the settings' defaults filled in.

    The speed is applied to the whole audio. If the text states pauses or a tempo, it is applied to
    each segment instead, so that stated pauses keep their length.

    Args:
        config: The settings.
        output: Format, rate and speed of the audio.
        text: The text to be spoken.
        script: Its passages, prepared; a single one without text is a silence.
        voices: The voice of each passage.

    Raises:
        InvalidRequest: The model does not support a field, or a tempo is out of range.
    """
    ignored = tuple(dict.fromkeys(name for voice in voices for name in voice.ignored))
    segments = make_segments(config, script, voices, output.speed if script.is_timed else 1.0)
    if script.is_timed:
        output = replace(output, speed=1.0)
    provenance = describe_source(voices, segments[0].prompt.sampling.seed)
    if config.mark_audio:
        output = replace(output, provenance=provenance)
    return SpeechPlan(output, text, voices[0], segments, provenance, script.lead_s, ignored)


def describe_source(voices: Sequence[ResolvedVoice], seed: int) -> Provenance:
    """Return the provenance of audio with these voices."""
    names = dict.fromkeys(voice.name for voice in voices if voice.name)
    return Provenance(voices[0].model, ", ".join(names), seed)


def make_segments(
    config: Config,
    script: Script,
    voices: Sequence[ResolvedVoice],
    speed: float,
) -> list[SpeechSegment]:
    """Return the segments of all passages of a script; see `make_plan`.

    Args:
        config, script, voices: As of `make_plan`.
        speed: Applied to each segment, and to the pauses that are not stated.
    """
    prompts, tempos = [], []
    for passage, voice in zip(script.passages, voices, strict=True):
        with passage.style.locating_errors():
            prompts.append(make_prompt(config, passage.text, voice))
            tempos.append(_tempo(passage.style.speed * speed))
    seeds = segment_seeds(prompts[0].sampling.seed)
    segments: list[SpeechSegment] = []
    has_several = len({voice.name for voice in voices}) > 1
    for passage, voice, prompt, tempo in zip(script.passages, voices, prompts, tempos, strict=True):
        longest = max_letters(config, voice.card, text_in_frames=prompt.text_in_frames)
        divided = split_prompt(prompt, longest, seeds)
        if passage.written:
            divided = list(_attach_written(divided, prompt.text, passage.written))
        *divided, last = divided
        pause_s = PAUSES_S[passage.boundary] if passage.pause_s is None else passage.pause_s
        last = replace(last, pause_s=pause_s, is_stated=passage.pause_s is not None)
        name = voice.name if has_several else ""
        spoken = (replace(segment, voice=name) if name else segment for segment in (*divided, last))
        segments += [_at_tempo(segment, tempo) for segment in spoken]
    return segments


def _tempo(tempo: float) -> float:
    if not SLOWEST <= tempo <= FASTEST:
        raise InvalidRequest(
            f"The speed would be {tempo:g} times the model's own; allowed are {SLOWEST:g} to "
            f"{FASTEST:g}.",
            fields={"speed": [f"Must be {SLOWEST:g} to {FASTEST:g} in all."]},
        )
    return tempo


def _at_tempo(segment: SpeechSegment, tempo: float) -> SpeechSegment:
    if tempo == 1:
        return segment
    pause_s = segment.pause_s if segment.is_stated else segment.pause_s / tempo
    return replace(segment, pause_s=pause_s, speed=tempo)


def make_prompt(config: Config, text: str, voice: ResolvedVoice) -> Prompt:
    """Return the prompt for a whole text; see `make_segments`."""
    request = voice.request
    return Prompt(
        text=text,
        language=voice.language,
        speaker=voice.speaker,
        instruct=voice.instruct,
        sampling=_sampling(request),
        max_new_tokens=request.max_new_tokens,
        streaming=request.stream,
        reference=voice.reference,
        text_in_frames=_is_text_in_frames(config, voice),
    )


def _is_text_in_frames(config: Config, voice: ResolvedVoice) -> bool:
    """Return whether the model gets one text token per frame, instead of the text in the prefill.

    Upstream does so with clones, whose speech gets faster and faster then, since text comes faster
    than it is spoken (QwenLM/Qwen3-TTS#239). Hence QWEN_NON_STREAMING_MODE.

    Raises:
        NotSupported: The request asks for it, but the model was not trained for it.
    """
    asked, card = voice.request.non_streaming_mode, voice.card
    if asked is None:
        return card.kind == "base" and card.streaming_text and not config.non_streaming_mode
    if not asked and not card.streaming_text:
        raise NotSupported(
            f"The model {voice.model!r} needs all text before the first frame: leave "
            "'non_streaming_mode' out.",
            fields={"non_streaming_mode": ["This model needs it."]},
        )
    return not asked


def max_letters(config: Config, card: ModelCard, *, text_in_frames: bool) -> int:
    """Return the maximum length of a model's segments, in letters as `segments.measure` counts.

    A VoiceDesign model invents a new voice for each segment: there a text is only split if it
    exceeds the model's positions, or the room for text in frames by all likelihood.
    """
    limit = config.max_positions // POSITIONS_PER_LETTER
    if card.kind == "voice_design":
        return min(limit, MAX_TRAILING_TOKENS) if text_in_frames else limit
    longest = min(limit, config.max_segment_chars)
    return min(longest, MAX_LETTERS_IN_FRAMES) if text_in_frames else longest


def split_prompt(
    prompt: Prompt, max_letters: int, seeds: Iterator[int] | None = None
) -> list[SpeechSegment]:
    """Split a prompt into segments; a text that fits is one segment, with the first seed.

    Args:
        prompt: The prompt for the whole text.
        max_letters: The maximum length of a segment.
        seeds: Their seeds; None: derived from the prompt's own.
    """
    segments = split(prompt.text, max_letters)
    return [
        SpeechSegment(_part(prompt, segment.text, seed), PAUSES_S[segment.boundary])
        # `zip` asks its last argument last: no seed is consumed where no segment is left.
        for segment, seed in zip(
            segments, seeds or segment_seeds(prompt.sampling.seed), strict=False
        )
    ]


def _part(prompt: Prompt, text: str, seed: int) -> Prompt:
    if (text, seed) == (prompt.text, prompt.sampling.seed):  # most texts are one segment
        return prompt
    return replace(prompt, text=text, sampling=replace(prompt.sampling, seed=seed))


def _attach_written(
    segments: Sequence[SpeechSegment], text: str, written: Written
) -> Iterator[SpeechSegment]:
    """Yield the segments of a text, each with the part of the client's text that it is made of."""
    starts = find_starts(text, [segment.prompt.text for segment in segments])
    ends = [*starts[1:], len(text)]
    for segment, part, start, end in zip(
        segments, written.divided(starts), starts, ends, strict=True
    ):
        yield replace(segment, written=part.stripped(text[start:end]))


def _sampling(request: SpeechRequest) -> SamplingParams:
    """Return the sampling parameters: the request's, and the published defaults for the rest."""
    given = {name: getattr(request, name) for name in _SAMPLING_FIELDS}
    given["seed"] = random.getrandbits(RANDOM_SEED_BITS) if request.seed is None else request.seed
    return SamplingParams(**{name: value for name, value in given.items() if value is not None})


def segment_seeds(first: int) -> Iterator[int]:
    """Yield the given seed, then seeds derived from it, one for each segment."""
    yield first
    number = 1
    while True:
        yield derived_seed(first, number)
        number += 1
