"""The voices of Wyoming's `info`, and the voice that a request means by its name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import qwen_tts_api
from qwen_tts_api.config import Config
from qwen_tts_api.errors import RegistryUnavailable
from qwen_tts_api.names import shown
from qwen_tts_api.service.models import CODES, ServedModel, display_name, list_languages
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.voices.voice import Voice

logger = logging.getLogger(__name__)

ANSWER_S = 0.5
"""How long an answer waits for checkpoints to be read: Home Assistant gives it a second."""

PROGRAM = "qwen-tts-api"
SEPARATOR = "@"
"""Between a voice and its model, where that is not the default one."""

_ATTRIBUTION = {"name": "Qwen", "url": "https://github.com/QwenLM/Qwen3-TTS"}


@dataclass(frozen=True)
class ListedVoice:
    """A voice of the list.

    Attributes:
        name: What requests call it.
        languages: ISO 639-1 codes.
        description: What people read instead of the name.
    """

    name: str
    languages: Sequence[str]
    description: str | None = None


class WyomingVoices:
    """The voices of all served models: as a list, and by the names in it.

    A voice's name is that of a speaker or the id of a registered voice; behind it `@` and the
    model's name, where that is not the default model. A VoiceDesign model is one voice, of the
    model's name.

    Args:
        config: Names what is listed before any checkpoint has been read.
        service: Has the models and the registered voices.
    """

    def __init__(self, config: Config, service: SpeechService) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="wyoming_voices")
        self._reading: Future[None] | None = None
        self._listed = [ListedVoice(config.default_speaker, list(CODES))]

    def start(self) -> None:
        """Begin to read the list, so that the first client need not wait for it."""
        self._read_again()

    def info(self) -> dict[str, Any]:
        """Return the data of an `info`, after ANSWER_S at most, whatever is loaded or downloaded.

        Where checkpoints are not read by then, it is what was known before: at first, the default
        speaker with the languages of the published checkpoints.
        """
        wait([self._read_again()], ANSWER_S)
        voices = [
            _artifact(voice.name, voice.description) | {"languages": voice.languages}
            for voice in self._listed
        ]
        program = {"voices": voices, "supports_synthesize_streaming": True}
        return {"tts": [_artifact(PROGRAM, "Qwen3-TTS") | program]}

    def find(self, name: str) -> tuple[str, str]:
        """Return the model and the speaker that a voice's name means; empty is the default one.

        An unknown voice is the default one: Home Assistant keeps the names of voices that are gone.

        Raises:
            ModelUnavailable: The checkpoint of the voice's model cannot be read.
        """
        models, registry = self._service.models, self._service.voices
        if registry.is_known(name):
            return "", name
        speaker, at, model = name.rpartition(SEPARATOR)
        if at and model in models.names and registry.is_known(speaker, model):
            return model, speaker
        if name in models.names and models.card(name).kind == "voice_design":
            return name, ""
        if name:
            logger.info("unknown Wyoming voice %s: using the default voice", shown(name))
        return "", ""

    def _read_again(self) -> Future[None]:
        """Return a reading of the list that is on its way, else a new one."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._reader.submit(self._read)
            return self._reading

    def _read(self) -> None:
        models = self._service.models
        first_base = models.first_of_kind("base")
        voices = [voice for model in models.list() for voice in self._voices_of(model, first_base)]
        if voices:
            self._listed = voices

    def _voices_of(self, model: ServedModel, first_base: str | None) -> Iterator[ListedVoice]:
        """Yield a model's voices; registered ones are without suffix for the first Base model."""
        if model.card is None:  # its checkpoint cannot be read, which was logged
            return
        languages = [each["code"] for each in list_languages(model.card)[1:] if each["code"]]
        default = self._service.models.default
        suffix = "" if model.name == default else f"{SEPARATOR}{model.name}"
        if model.card.kind == "voice_design":
            yield ListedVoice(model.name, languages)
        for speaker in model.card.speakers:
            yield ListedVoice(display_name(speaker) + suffix, languages)
        if model.card.kind == "base":
            suffix = "" if model.name == first_base else suffix
            for voice in self._registered():
                yield ListedVoice(voice.id + suffix, languages, voice.name + suffix)

    def _registered(self) -> Sequence[Voice]:
        try:
            return self._service.voices.all()
        except RegistryUnavailable:  # logged
            return []


def _artifact(name: str, description: str | None) -> dict[str, Any]:
    """Return what programs and voices have in common; all of it is required."""
    return {
        "name": name,
        "description": description,
        "version": qwen_tts_api.__version__,
        "attribution": _ATTRIBUTION,
        "installed": True,
    }
