"""Designed voices: a description becomes a recording, and the recording a registered voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qwen_tts_api.errors import InvalidRequest, NotSupported
from qwen_tts_api.names import field
from qwen_tts_api.service.request import Client, Speech, SpeechRequest
from qwen_tts_api.service.served_models import ServedModels
from qwen_tts_api.service.voices.registry import VoiceRegistry
from qwen_tts_api.service.voices.voice import Voice

Synthesize = Callable[[SpeechRequest, Client], Speech]


class VoiceDesigner:
    """Lets a VoiceDesign model speak once what the Base models then repeat in its voice."""

    def __init__(
        self, models: ServedModels, registry: VoiceRegistry, synthesize: Synthesize
    ) -> None:
        self._models = models
        self._registry = registry
        self._synthesize = synthesize

    def design(self, name: str, request: SpeechRequest, consent: str, client: Client) -> Voice:
        """Register the voice with which a VoiceDesign model answers a request.

        Args:
            name: The new voice's.
            request: With the description in `instruct`. The same text, description and seed are the
                same voice, so that what was liked can be kept.
            consent: Kept as it is.
            client: Who waits.

        Raises:
            InvalidRequest: There is no description, or the recording did not come to its end.
            NotSupported: No VoiceDesign model is served.
            TTSError: What `SpeechService.synthesize` and `VoiceRegistry.add` raise.
        """
        self._registry.check_new(name)
        model = request.model or self._models.first_of_kind("voice_design")
        if model is None or self._models.card(self._models.name(model)).kind != "voice_design":
            raise NotSupported(
                "Designing a voice needs a VoiceDesign model: add one to QWEN_MODELS, or send a "
                f"recording in {field('audio')}.",
                fields={"instruct": ["Needs a VoiceDesign model."]},
            )
        if not request.instruct.strip():
            raise InvalidRequest(
                f"{field('instruct')} is blank: it describes the voice.",
                fields={"instruct": ["Missing."]},
            )
        speech = self._synthesize(replace(request, model=model, audio_format="wav"), client)
        if speech.job.finish_reason == "length":
            raise InvalidRequest(
                "The recording was cut where its frame budget ended: try another seed or text.",
                fields={"text": ["Was not spoken to its end."]},
            )
        # What was spoken: markup and the like are not.
        return self._registry.add(name, speech.data, speech.text.text, consent, source="design")
