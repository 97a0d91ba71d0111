"""Resolve a request's model, voice and language: this is the only place that decides them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.errors import NotSupported
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.names import shown
from qwen_tts_api.service.models import (
    AUTO,
    ServedModels,
    default_speaker,
    display_name,
    find_speaker,
    resolve_language,
)
from qwen_tts_api.service.request import FULL, SpeechRequest
from qwen_tts_api.service.text.normalize import check_instruct
from qwen_tts_api.service.text.pronunciation_file import (
    NO_LINES,
    find_pronunciations,
    read_pronunciations,
)
from qwen_tts_api.service.text.script.passage import Passage
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN, Wording
from qwen_tts_api.service.voices.cloning import Cloning
from qwen_tts_api.service.voices.registry import VoiceRegistry
from qwen_tts_api.service.voices.voice import Voice, unknown_speaker

_NO_RECORDING = {
    name: getattr(SpeechRequest, name) for name in ("ref_audio", "ref_text", "x_vector_only_mode")
}


@dataclass(frozen=True)
class ResolvedVoice:
    """The model and the voice that a request is answered with.

    Attributes:
        model: The model's name.
        card: What it can do.
        request: The request, without the fields that are ignored.
        ignored: The names of those.
        language: That it speaks, as the checkpoint names it, or `auto`.
        speaker: The model's speaker (custom_voice).
        reference: The recording whose voice it clones (base).
        name: As lists have it; empty of a voice that is described, or just recorded.
        instruct: How it speaks, or, for a VoiceDesign model, the voice.
        wording: How its texts are put into words.
    """

    model: str
    card: ModelCard
    request: SpeechRequest
    ignored: tuple[str, ...]
    language: str
    speaker: str | None = None
    reference: Reference | None = None
    name: str = ""
    instruct: str = ""
    wording: Wording = AS_WRITTEN


class VoiceResolver:
    """Resolves voices with the settings' defaults.

    Raises:
        ConfigError: `QWEN_PRONUNCIATIONS` cannot be read, or has an invalid line.
    """

    def __init__(self, config: Config, models: ServedModels, registry: VoiceRegistry) -> None:
        self._config = config
        self._aliases = config.speakers_by_alias
        self._any_speaker = config.unknown_speaker == "default"
        self._models = models
        self._registry = registry
        self._cloning = Cloning(config, models, registry)
        path = config.pronunciations
        self._pronunciations = read_pronunciations(path) if path else None

    def resolve(self, request: SpeechRequest) -> ResolvedVoice:
        """Return the model and the voice for a request.

        A request that names no model, but clones or names a registered voice, goes to the first
        Base model that is served, if the default model is none.

        Args:
            request: As `with_defaults` returns it.

        Raises:
            InvalidRequest: Fields contradict each other, or the model cannot honour one.
            RegistryUnavailable: The registered voice cannot be read.
            UnknownLanguage: The model does not speak the language.
            UnknownModel: It is not served.
        """
        model = self._models.name(request.model)
        card = self._models.card(model)
        voice = self._registered(request.speaker, card)
        needs_recording = request.lenient and request.ref_audio is None
        clones = voice is not None or (not needs_recording and bool(_fields_of_cloning(request)))
        if clones and not request.model and card.kind != "base":
            model = self._models.first_of_kind("base") or model
            card = self._models.card(model)
        ignored = self._ignored_fields(request, card, voice)
        if ignored:
            request = replace(request, **{name: getattr(SpeechRequest, name) for name in ignored})
        speaker = reference = None
        registered = ""
        if card.kind == "base":
            reference, registered = self._cloning.reference(request, voice, model)
        elif clones:
            raise self._cloning.unsupported_error(_fields_of_cloning(request), voice, model)
        else:
            speaker = self._speaker(request, model, card)
        language = resolve_language(request.language, card)
        return ResolvedVoice(
            model=model,
            card=card,
            request=request,
            ignored=ignored,
            language=language,
            speaker=speaker,
            reference=reference,
            name=display_name(speaker) if speaker else registered,
            instruct=self._instruct(request, model, card),
            wording=self._wording(request, card, language),
        )

    def _registered(self, speaker: str, card: ModelCard) -> Voice | None:
        """Return the registered voice of this name; the model's own speakers take precedence."""
        if not speaker.strip() or find_speaker(speaker, card, self._aliases):
            return None
        return self._registry.find(speaker)

    def _ignored_fields(
        self, request: SpeechRequest, card: ModelCard, voice: Voice | None
    ) -> tuple[str, ...]:
        """Return the names of fields that are ignored instead of refused.

        In a lenient request: all fields without effect. With QWEN_UNKNOWN_SPEAKER=default: unknown
        speakers.
        """
        lenient, cloned = request.lenient, request.ref_audio is not None
        if not (lenient or self._any_speaker):
            return ()
        unknown = voice is None and not find_speaker(request.speaker, card, self._aliases)
        useless = (cloned and card.kind == "base") or (unknown and card.kind == "voice_design")
        idle = {
            "speaker": request.speaker.strip()
            and ((lenient and useless) or (self._any_speaker and (unknown or useless))),
            "instruct": lenient and request.instruct.strip() and not card.takes_instruct,
            "ref_text": lenient and request.ref_text.strip() and not cloned,
            "x_vector_only_mode": lenient
            and request.x_vector_only_mode
            and not (cloned or card.kind == "base"),
            "non_streaming_mode": lenient
            and request.non_streaming_mode is False
            and not card.streaming_text,
        }
        return tuple(name for name, is_idle in idle.items() if is_idle)

    def _speaker(self, request: SpeechRequest, model: str, card: ModelCard) -> str | None:
        requested = request.speaker
        if not card.speakers:
            if requested:
                raise NotSupported(
                    lambda field: (
                        f"The model {model!r} has no speakers, but {field('speaker')} is "
                        f"{shown(requested)}: leave it out, and describe the voice in "
                        f"{field('instruct')}."
                    ),
                    fields={"speaker": ["This model has no speakers."]},
                )
            return None
        speaker = find_speaker(requested, card, self._aliases) if requested else None
        if speaker is None and requested:
            raise unknown_speaker(requested, self._registry.known_ids(request.model))
        return speaker or default_speaker(self._config.default_speaker, card, self._aliases)

    def _instruct(self, request: SpeechRequest, model: str, card: ModelCard) -> str:
        """Return the request's or the setting's, which a model that takes none goes without."""
        instruct = request.instruct or self._config.default_instruct
        if not instruct:
            return ""
        if card.takes_instruct:
            return check_instruct(instruct)
        if request.instruct.strip():
            advice = "" if card.kind == "base" else " or use a 1.7B one"
            raise NotSupported(
                lambda field: (
                    f"The model {model!r} does not take {field('instruct')}: leave it out{advice}."
                ),
                fields={"instruct": ["This model does not take it."]},
            )
        return ""

    def _wording(self, request: SpeechRequest, card: ModelCard, language: str) -> Wording:
        """Return how texts are worded; most are spoken as written.

        For a model that reads letters only, they are always worded in full, unless the request or
        the setting turns normalization off.
        """
        is_read = bool(request.normalize) and card.letters_only
        full = request.normalize == FULL or is_read
        file = self._pronunciations
        if not (full or file or request.pronunciations):
            return AS_WRITTEN
        lines = file.current() if file else NO_LINES
        is_only = language == AUTO and len(card.languages) == 1
        language = card.languages[0] if is_only else language
        pronunciations = find_pronunciations(lines, language, request.pronunciations)
        return Wording(language, pronunciations, full=full, letters_only=is_read)


def _fields_of_cloning(request: SpeechRequest) -> list[str]:
    """Return the names of the given fields that are for cloning only."""
    given = {
        "ref_audio": request.ref_audio is not None,
        "ref_text": bool(request.ref_text.strip()),
        "x_vector_only_mode": request.x_vector_only_mode,
    }
    return [name for name, is_given in given.items() if is_given]


def resolve_passages(
    resolve: Callable[[SpeechRequest], ResolvedVoice],
    request: SpeechRequest,
    passages: Sequence[Passage],
) -> list[ResolvedVoice]:
    """Return the voice of each passage, resolved once where several have the same.

    Args:
        resolve: `VoiceResolver.resolve`.
        request: The request, as `with_defaults` returns it.
        passages: At least one.

    Raises:
        NotSupported: The voices are of different models, of which a request has one.
        TTSError: What `resolve` raises, with the place of the passage.
    """
    resolved: dict[SpeechRequest, ResolvedVoice] = {}
    voices: list[ResolvedVoice] = []
    for passage in passages:
        wanted = _request_of(request, passage)
        voice = resolved.get(wanted)
        if voice is None:
            with passage.style.locating_errors():
                resolved[wanted] = voice = resolve(wanted)
                _check_model(voices, voice)
        voices.append(voice)
    return voices


def _request_of(request: SpeechRequest, passage: Passage) -> SpeechRequest:
    """Return the request with the style of one passage."""
    own = {
        name: getattr(passage.style, name)
        for name in ("speaker", "language", "instruct")
        if getattr(passage.style, name)
    }
    # A passage that names a speaker is not spoken with the request's recording.
    own |= _NO_RECORDING if passage.style.speaker else {}
    return replace(request, **own) if own else request


def _check_model(voices: Sequence[ResolvedVoice], voice: ResolvedVoice) -> None:
    if voices and voice.model != voices[0].model:
        raise NotSupported(
            f"This is a voice of the model {voice.model!r}, but the text begins with one of "
            f"{voices[0].model!r}: a request has the voices of one model.",
            fields={"speaker": [f"Must be a voice of the model {voices[0].model!r}."]},
        )
