"""The recording that a Base model clones: the request's own, or a registered voice's."""

from __future__ import annotations

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, NotSupported, ReferenceRequired
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.names import listed, shown
from qwen_tts_api.service.models import ServedModels
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.voices.recording import check_ref_text, read_recording
from qwen_tts_api.service.voices.registry import VoiceRegistry
from qwen_tts_api.service.voices.trimming import trim_silence
from qwen_tts_api.service.voices.voice import Voice, unknown_speaker


class Cloning:
    """Finds the recording to clone for a request, with the settings' defaults."""

    def __init__(self, config: Config, models: ServedModels, registry: VoiceRegistry) -> None:
        self._config = config
        self._models = models
        self._registry = registry

    def reference(
        self, request: SpeechRequest, voice: Voice | None, model: str
    ) -> tuple[Reference, str]:
        """Return the recording to clone, and the name of its registered voice, if it is one's."""
        if request.ref_audio is not None:
            return self._given_reference(request, request.ref_audio), ""
        voice = voice or self._default_voice(request.speaker, model)
        if request.ref_text.strip():
            raise InvalidRequest(
                f"The registered voice {voice.id!r} has a text of its own: leave 'ref_text' out.",
                fields={"ref_text": [lambda field: f"Goes with {field('ref_audio')} only."]},
            )
        reference = self._registry.reference(voice, x_vector_only=request.x_vector_only_mode)
        return reference, voice.name

    def unsupported_error(self, given: list[str], voice: Voice | None, model: str) -> NotSupported:
        """Return the error for a request to clone a voice with a model that cannot.

        Args:
            given: The request's fields that are for cloning only.
            voice: The registered voice that the request names, if any.
            model: The model's name.
        """
        base = self._models.first_of_kind("base")
        advice = f"ask for the model {base!r}" if base else "no Base model is served"
        if voice is not None:
            return NotSupported(
                f"{voice.id!r} is a registered voice, with which the model {model!r} cannot speak: "
                f"{advice}.",
                fields={"speaker": ["Needs a Base model."]},
            )
        return NotSupported(
            f"The model {model!r} clones no voices, but there is {' and '.join(given)}: {advice}.",
            fields={name: ["Needs a Base model."] for name in given},
        )

    def _given_reference(self, request: SpeechRequest, ref_audio: bytes) -> Reference:
        if request.speaker:
            raise InvalidRequest(
                lambda field: (
                    f"The voice is that of {field('ref_audio')}, but {field('speaker')} is "
                    f"{shown(request.speaker)}: give one of the two."
                ),
                fields={"speaker": [lambda field: f"Does not go with {field('ref_audio')}."]},
            )
        ref_text = check_ref_text(request.ref_text)
        if not ref_text and not request.x_vector_only_mode:
            raise ReferenceRequired(
                lambda field: (
                    f"Cloning needs in 'ref_text' what is said in {field('ref_audio')}; where that "
                    "is not known, 'x_vector_only_mode': true takes the speaker's embedding alone."
                ),
                fields={"ref_text": ["Missing or blank."]},
            )
        samples = read_recording(ref_audio, self._config.max_audio_bytes)
        text = "" if request.x_vector_only_mode else ref_text
        samples = trim_silence(samples, is_continued=bool(text))
        return Reference(samples, text, request.x_vector_only_mode)

    def _default_voice(self, requested: str, model: str) -> Voice:
        """Return the default voice, where the request names none."""
        if not requested and (voice := self._registry.find(self._config.default_speaker)):
            return voice
        known = self._registry.ids()
        if requested:
            raise unknown_speaker(requested, known)
        raise ReferenceRequired(
            lambda field: (
                f"The model {model!r} clones voices: it needs reference audio in "
                f"{field('ref_audio')}, or a registered voice in {field('speaker')}; registered "
                f"are {listed(known)}."
            ),
            fields={"ref_audio": ["Missing."]},
        )
