"""The registered voices, uploaded or designed, with which every Base model speaks."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Iterator, Sequence

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.errors import (
    InvalidRequest,
    NotSupported,
    RegistryReadOnly,
    RegistryUnavailable,
    UnknownSpeaker,
    VoiceNotFound,
)
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Reference
from qwen_tts_api.names import fold, shown
from qwen_tts_api.service.models import ServedModels, display_name, find_speaker
from qwen_tts_api.service.voices.recording import Waveform, check_ref_text, read_recording
from qwen_tts_api.service.voices.store import VoiceStore, too_many_voices, voice_exists
from qwen_tts_api.service.voices.trimming import trim_silence
from qwen_tts_api.service.voices.voice import (
    MAX_NAME_CHARS,
    Voice,
    check_name,
    unknown_speaker,
    voice_id,
)

logger = logging.getLogger(__name__)

MAX_CONSENT_CHARS = 1000
CACHED_REFERENCES = 16
"""Recordings in the LRU cache, of up to 2.9 MB each."""


class VoiceRegistry:
    """Lists the voices that requests may name; adds, reads and deletes registered ones."""

    def __init__(self, config: Config, models: ServedModels) -> None:
        self._config = config
        self._models = models
        self._aliases = config.speakers_by_alias
        self._store = VoiceStore(config.registry_dir)
        self._read = functools.lru_cache(CACHED_REFERENCES)(self._read_reference)

    def start(self) -> None:
        """Remove incomplete voices of killed processes; an unreadable folder is logged only."""
        with contextlib.suppress(RegistryUnavailable), _os_errors_translated():
            self._store.clean()

    def list(self, model: str = "") -> Sequence[Voice]:
        """Return what `speaker` may name: the model's own speakers, then registered voices.

        Registered ones are listed where they can be used: for a Base model, and for requests that
        name no model, if any Base model is served.

        Raises:
            ModelUnavailable: The model's checkpoint cannot be found or read.
            RegistryUnavailable: The registry cannot be read.
            UnknownModel: It is not served.
        """
        card = self._models.card(model)
        names = [
            (display_name(speaker), card.dialects.get(speaker, "")) for speaker in card.speakers
        ]
        voices = [Voice(name, name, kind="speaker", dialect=dialect) for name, dialect in names]
        return [*voices, *self.all()] if self._takes_registered(model, card) else voices

    def is_known(self, requested: str, model: str = "") -> bool:
        """Return whether `speaker` may be this: one of `list`, by its name, id or alias.

        Raises:
            ModelUnavailable: The model's checkpoint cannot be found or read.
            UnknownModel: It is not served.
        """
        card = self._models.card(model)
        if find_speaker(requested, card, self._aliases) is not None:
            return True
        return self._takes_registered(model, card) and self.find(requested) is not None

    def is_taken(self, name: str, model: str = "") -> bool:
        """Return whether a name is one of `is_known`, or an alias of whatever there may be.

        Raises:
            ModelUnavailable: The model's checkpoint cannot be found or read.
            UnknownModel: It is not served.
        """
        return fold(name) in self._aliases or self.is_known(name, model)

    def _takes_registered(self, model: str, card: ModelCard) -> bool:
        """Return whether requests for a model, or for none, may name registered voices."""
        if card.kind == "base":
            return True
        return not model and self._models.first_of_kind("base") is not None

    def all(self) -> Sequence[Voice]:
        """Return the registered voices, oldest first.

        Raises:
            RegistryUnavailable: The folder cannot be read.
        """
        with _os_errors_translated():
            return self._store.all()

    def ids(self) -> Sequence[str]:
        """Return the ids of the registered voices, none of which is read: there may be many.

        Raises:
            RegistryUnavailable: The folder cannot be read.
        """
        with _os_errors_translated():
            return sorted(self._store.ids())

    def known_ids(self, model: str = "") -> Sequence[str]:
        """Return the ids of `list`, with the registered ones sorted, as errors name them.

        Raises:
            TTSError: As `list` raises.
        """
        card = self._models.card(model)
        speakers = [display_name(speaker) for speaker in card.speakers]
        return [*speakers, *self.ids()] if self._takes_registered(model, card) else speakers

    def find(self, requested: str) -> Voice | None:
        """Return the voice with an id, name or alias, compared without case, or None."""
        requested = requested.strip()
        requested = self._aliases.get(fold(requested), requested)
        if len(requested) > MAX_NAME_CHARS:
            return None
        voice = self._store.get(voice_id(requested))
        # Names with the same id may differ: `a.b` is not `a-b`.
        if voice and fold(requested) in (voice.id, fold(voice.name)):
            return voice
        return None

    def reference(self, voice: Voice, *, x_vector_only: bool = False) -> Reference:
        """Return the recording of a voice, from the LRU cache or the disk.

        Raises:
            RegistryUnavailable: It cannot be read.
            UnknownSpeaker: It was deleted since it was found.
        """
        return self._read(voice, x_vector_only or not voice.ref_text)

    def check_writable(self) -> None:
        """Check that voices may be added and deleted.

        Raises:
            RegistryReadOnly: `QWEN_VOICE_UPLOADS` is off.
        """
        if not self._config.voice_uploads:
            raise RegistryReadOnly(
                "Voices cannot be added or deleted here: QWEN_VOICE_UPLOADS is off."
            )

    def check_new(self, name: str) -> Voice:
        """Validate the name of a new voice; return a voice with it and its id.

        Raises:
            InvalidRequest: The name is invalid.
            NotSupported: No Base model is served, which registered voices need.
            RegistryReadOnly: Voices may not be added.
            TooManyVoices: QWEN_MAX_VOICES are registered.
            VoiceExists: A voice, speaker or alias has the name.
        """
        self.check_writable()
        if self._models.first_of_kind("base") is None:
            raise NotSupported(
                "No Base model is served, which registered voices need: add one to QWEN_MODELS."
            )
        name = check_name(name)
        voice = Voice(voice_id(name), name)
        taken = self._models.speakers() | set(self._aliases)
        if taken & {voice.id, fold(name)} or self._store.get(voice.id):
            raise voice_exists(voice)
        self._check_room()
        return voice

    def add(
        self, name: str, audio: bytes, ref_text: str = "", consent: str = "", source: str = "upload"
    ) -> Voice:
        """Register a voice from a recording.

        Args:
            name: The display name; the id is derived from it.
            audio: An audio file in one of the formats of `recording.ALLOWED`.
            ref_text: The transcript; if empty, only the speaker embedding is used.
            consent: A note on the speaker's consent, stored unchanged.
            source: `upload` or `design`.

        Raises:
            InvalidAudio: The recording cannot be used.
            RegistryUnavailable: It cannot be written.
            TTSError: As `check_new` raises.
        """
        new = self.check_new(name)
        ref_text = check_ref_text(ref_text)
        field = "text" if source == "design" else "audio"
        samples = read_recording(audio, self._config.max_audio_bytes, field)
        voice = Voice(
            new.id,
            new.name,
            created_at=int(time.time()),
            source=source,
            ref_text=ref_text,
            consent=_check_consent(consent),
            duration_s=round(len(samples) / SAMPLE_RATE_HZ, 3),
        )
        with _os_errors_translated():
            voice = self._store.add(voice, samples, self._config.max_voices)
        logger.info("registered the voice %s (%s, %.1f s)", voice.id, source, voice.duration_s)
        return voice

    def delete(self, requested: str) -> None:
        """Delete a voice by its id; running requests with it are completed.

        Raises:
            RegistryReadOnly: Voices may not be deleted.
            RegistryUnavailable: It cannot be deleted.
            VoiceNotFound: There is no voice with this id.
        """
        self.check_writable()
        voice = self._store.get(requested)
        references = () if voice is None else self._references(voice)
        with _os_errors_translated():
            deleted = self._store.delete(requested)
        self._read.cache_clear()
        for reference in references:
            self._models.forget(reference)
        if not deleted:
            raise VoiceNotFound(f"There is no registered voice of the id {shown(requested)}.")
        logger.info("deleted the voice %s", requested)

    def _references(self, voice: Voice) -> Sequence[Reference]:
        """Return the references that models may have cached of a voice; none if unreadable."""
        with contextlib.suppress(RegistryUnavailable, UnknownSpeaker):
            embedding_only = self._read(voice, True)
            with_text = [self._read(voice, False)] if voice.ref_text else []
            return [embedding_only, *with_text]
        return []

    def _check_room(self) -> None:
        limit = self._config.max_voices
        with _os_errors_translated():
            count = self._store.count()
        if count >= limit:
            raise too_many_voices(limit)

    def _read_reference(self, voice: Voice, x_vector_only: bool) -> Reference:
        with _os_errors_translated():
            samples = self._samples(voice)
        text = "" if x_vector_only else voice.ref_text
        samples = trim_silence(samples, is_continued=not x_vector_only)
        return Reference(samples, text, x_vector_only)

    def _samples(self, voice: Voice) -> Waveform:
        """Return the recording of a voice; one that was deleted meanwhile is an unknown speaker."""
        try:
            return self._store.samples(voice)
        except OSError:
            if self._store.get(voice.id) == voice:
                raise
        raise unknown_speaker(voice.id, self.ids())


@contextlib.contextmanager
def _os_errors_translated() -> Iterator[None]:
    """Log OSErrors, and raise RegistryUnavailable without a path in its place."""
    try:
        yield
    except OSError as error:
        logger.error("reading or writing the registry of voices failed: %s", error)
        raise RegistryUnavailable(
            "The registry of voices cannot be read or written; the cause is in the server's log."
        ) from error


def _check_consent(consent: str) -> str:
    if len(consent) > MAX_CONSENT_CHARS or not consent.isprintable():
        raise InvalidRequest(
            f"'consent' has {len(consent)} characters; allowed are up to {MAX_CONSENT_CHARS}, on "
            "one line.",
            fields={"consent": [f"Up to {MAX_CONSENT_CHARS} characters on one line."]},
        )
    return consent.strip()
