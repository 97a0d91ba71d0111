"""From a request to a prompt: defaults filled in, and refused what the model cannot honour."""

from __future__ import annotations

import secrets
from dataclasses import fields

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.errors import NotSupported
from qwen_tts_api.model.utterance import Prompt, Sampling
from qwen_tts_api.service.models import resolve_language
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.check import check_instruct
from qwen_tts_api.service.voices.resolve import ResolvedVoice

DRAWN_BITS = 53
"""Of a seed that is drawn: JavaScript has no larger whole numbers, and would send back another."""


class PromptMaker:
    """Makes prompts with the settings' defaults."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def make(self, request: SpeechRequest, text: str, voice: ResolvedVoice) -> Prompt:
        """Return what a model is to make of a request.

        Args:
            request: Tells all but the text and the voice.
            text: Checked already.
            voice: The model and the voice that speak it.

        Raises:
            InvalidRequest: The model cannot honour a field.
        """
        language = request.language or self._config.default_language
        return Prompt(
            text=text,
            language=resolve_language(language, voice.card),
            speaker=voice.speaker,
            instruct=self._instruct(request.instruct, voice.model, voice.card),
            sampling=_sampling(request),
            max_new_tokens=request.max_new_tokens,
            streaming=request.stream,
            reference=voice.reference,
        )

    def _instruct(self, requested: str, model: str, card: ModelCard) -> str:
        if card.takes_instruct:
            return check_instruct(requested or self._config.default_instruct)
        if requested.strip():
            advice = "" if card.kind == "base" else " or use a 1.7B one"
            raise NotSupported(
                lambda field: (
                    f"The model {model!r} does not take {field('instruct')}: leave it out{advice}."
                ),
                fields={"instruct": ["This model does not take it."]},
            )
        return ""


def _sampling(request: SpeechRequest) -> Sampling:
    """Return how to draw: what the request says, and the published defaults for the rest."""
    given = {field.name: getattr(request, field.name) for field in fields(Sampling)}
    given["seed"] = secrets.randbits(DRAWN_BITS) if request.seed is None else request.seed
    return Sampling(**{name: value for name, value in given.items() if value is not None})
