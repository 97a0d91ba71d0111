"""From a request to a prompt: defaults filled in, and refused what the model cannot honour."""

from __future__ import annotations

import secrets
from dataclasses import fields

from qwen_tts_api.config import Config
from qwen_tts_api.errors import NotSupported
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.utterance import Prompt, Sampling
from qwen_tts_api.service.languages import resolve_language
from qwen_tts_api.service.requests import SpeechRequest
from qwen_tts_api.service.speakers import default_speaker, find_speaker, unknown_speaker
from qwen_tts_api.service.text import check_text


class PromptMaker:
    """Makes prompts with the settings' defaults."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._aliases = config.speakers_by_alias

    def make(self, request: SpeechRequest, text: str, model: str, card: ModelCard) -> Prompt:
        """Return what a model is to make of a request.

        Args:
            request: Tells all but the text.
            text: Checked already.
            model: The model's name, for messages.
            card: What it can do.

        Raises:
            InvalidRequest: The model cannot honour a field.
        """
        if card.kind == "base":
            raise NotSupported(
                f"The model {model!r} clones voices: it needs reference audio, which /api/tts does "
                "not take. Use a CustomVoice or VoiceDesign model.",
                fields={"model": ["Needs reference audio."]},
            )
        language = request.language or self._config.default_language
        return Prompt(
            text=text,
            language=resolve_language(language, card),
            speaker=self._speaker(request.speaker, model, card),
            instruct=self._instruct(request.instruct, model, card),
            sampling=_sampling(request),
            max_new_tokens=request.max_new_tokens,
            streaming=request.stream,
        )

    def _speaker(self, requested: str, model: str, card: ModelCard) -> str | None:
        lenient = self._config.unknown_speaker == "default"
        if not card.speakers:
            if requested and not lenient:
                raise NotSupported(
                    f"The model {model!r} has no speakers, but 'speaker' is {requested!r}: leave "
                    "it out, and describe the voice in 'instruct'.",
                    fields={"speaker": ["This model has no speakers."]},
                )
            return None
        speaker = find_speaker(requested, card, self._aliases) if requested else None
        if speaker is None and requested and not lenient:
            raise unknown_speaker(requested, card)
        return speaker or default_speaker(self._config.default_speaker, card, self._aliases)

    def _instruct(self, requested: str, model: str, card: ModelCard) -> str:
        if card.takes_instruct:
            instruct = requested or self._config.default_instruct
            return check_text(instruct, self._config.max_text_chars) if instruct.strip() else ""
        if requested.strip():
            raise NotSupported(
                f"The model {model!r} does not take 'instruct': leave it out or use a 1.7B one.",
                fields={"instruct": ["This model does not take it."]},
            )
        return ""


def _sampling(request: SpeechRequest) -> Sampling:
    """Return how to draw: what the request says, and the published defaults for the rest."""
    given = {field.name: getattr(request, field.name) for field in fields(Sampling)}
    given["seed"] = secrets.randbits(63) if request.seed is None else request.seed
    return Sampling(**{name: value for name, value in given.items() if value is not None})
