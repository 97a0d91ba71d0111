"""Store registered voices on the disk, atomically.

    <folder>/<id>/voice.json    metadata
    <folder>/<id>/audio.wav     the recording: 32-bit float, mono, 24 kHz

A voice is written to a hidden folder, synced, and renamed; deletion renames it to a hidden name.
Nothing is cached: several processes may share a folder, and see each other's voices. Changes are
made under the folder's lock (flock), so that a temporary folder without a lock holder is left over
from a killed process.

Damaged or unknown files in the folder affect their own voice only.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile

from qwen_tts_api.errors import InvalidRequest, TooManyVoices, VoiceExists
from qwen_tts_api.files import (
    lock,
    open_regular,
    read_regular,
    refuse_constant,
    remove,
    sync_folder,
    write_synced,
)
from qwen_tts_api.model.utterance import MAX_REFERENCE_S, SAMPLE_RATE_HZ
from qwen_tts_api.names import shown
from qwen_tts_api.service.voices.recording import Waveform, check_ref_text
from qwen_tts_api.service.voices.voice import MAX_ID_CHARS, Voice, check_name

logger = logging.getLogger(__name__)


_ID = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_ID_CHARS - 1}}}")
MAX_METADATA_BYTES = 1 << 16
MAX_RECORDING_BYTES = 4 * SAMPLE_RATE_HZ * MAX_REFERENCE_S + 4096

_METADATA = "voice.json"
_RECORDING = "audio.wav"
# The prefix of temporary folders; no id begins with a dot.
_TEMPORARY = ".scratch-"


class VoiceStore:
    """The voices in a folder, which is created when the first one is added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logged: set[str] = set()

    def clean(self) -> None:
        """Remove temporary folders of killed processes, unless another process holds the lock.

        Raises:
            OSError: The folder cannot be read.
        """
        leftovers = [path for path in self._entries() if path.name.startswith(_TEMPORARY)]
        if not leftovers:
            return
        with contextlib.suppress(BlockingIOError), lock(self._folder, wait_s=0):
            for path in leftovers:
                logger.warning("removing %s, which was left half-written", path)
                remove(path)

    def all(self) -> list[Voice]:
        """Return the readable voices, oldest first; log each unreadable one once.

        Raises:
            OSError: The folder cannot be read.
        """
        voices = [voice for name in self.ids() if (voice := self.get(name)) is not None]
        return sorted(voices, key=lambda voice: (voice.created_at, voice.id))

    def count(self) -> int:
        """Return the number of voices, readable or not.

        Raises:
            OSError: The folder cannot be read.
        """
        return len(self.ids())

    def get(self, voice_id: str) -> Voice | None:
        """Return the metadata of a voice, or None if there is none or it cannot be read."""
        if not _ID.fullmatch(voice_id):
            return None
        folder = self._folder / voice_id
        try:
            return _read_current(folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder.is_dir():
                self._log_once(voice_id, error)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            self._log_once(voice_id, error)
        return None

    def add(self, voice: Voice, samples: Waveform, max_voices: int | None = None) -> Voice:
        """Write a voice, and return it with the digest of its samples.

        Raises:
            TooManyVoices: There are `max_voices` already.
            VoiceExists: There is one with this id.
            OSError: It cannot be written, or the lock is held; then nothing of it is left.
        """
        metadata = asdict(voice) | {"digest": _digest(samples)}
        # Recordings are personal data: readable by this user only, in whichever folder.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(self._folder):
            if max_voices is not None and self.count() >= max_voices:
                raise too_many_voices(max_voices)
            if (self._folder / voice.id).exists():
                raise voice_exists(voice)
            temporary = self._temporary_path()
            try:
                temporary.mkdir(mode=0o700)
                write_synced(temporary / _RECORDING, _wav(samples))
                document = json.dumps(metadata, ensure_ascii=False, indent=1)
                write_synced(temporary / _METADATA, document.encode())
                sync_folder(temporary)
                temporary.rename(self._folder / voice.id)
            finally:
                remove(temporary)
            self._sync_name(voice.id)
        return Voice(**metadata)

    def _sync_name(self, voice_id: str) -> None:
        """Flush a new voice's folder entry to the disk; remove the voice if that fails."""
        try:
            sync_folder(self._folder)
        except OSError:
            remove(self._folder / voice_id)
            raise

    def delete(self, voice_id: str) -> bool:
        """Delete a voice, readable or not; return whether there was one.

        Raises:
            OSError: It cannot be removed.
        """
        if not _ID.fullmatch(voice_id):
            return False
        if not os.path.lexists(self._folder / voice_id):
            return False
        with lock(self._folder):
            temporary = self._temporary_path()
            try:
                (self._folder / voice_id).rename(temporary)
            except FileNotFoundError:
                return False
            try:
                sync_folder(self._folder)
            finally:
                remove(temporary)
        return True

    def samples(self, voice: Voice) -> Waveform:
        """Return the recording of a voice, float32 `[n]`, mono, at SAMPLE_RATE_HZ.

        Raises:
            OSError: It cannot be read, or is not what was written.
        """
        path = self._folder / voice.id / _RECORDING
        try:
            with os.fdopen(open_regular(path, MAX_RECORDING_BYTES), "rb") as file:
                samples = _read_wav(file)
        except (soundfile.SoundFileError, ValueError) as error:
            raise OSError(f"{path} cannot be read: {error}") from error
        if _digest(samples) != voice.digest:
            raise OSError(f"{path} is not what was written: its digest differs")
        return samples

    def ids(self) -> list[str]:
        """Return the ids of all voices, readable or not.

        Raises:
            OSError: The folder cannot be read.
        """
        return [path.name for path in self._entries() if _ID.fullmatch(path.name)]

    def _entries(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _temporary_path(self) -> Path:
        return self._folder / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"

    def _log_once(self, voice_id: str, error: Exception) -> None:
        if voice_id not in self._logged:
            self._logged.add(voice_id)
            logger.error("the voice in %s cannot be read: %r", self._folder / voice_id, error)


def voice_exists(voice: Voice) -> VoiceExists:
    """Return the error for a name that is taken, or whose id is another name's, too."""
    return VoiceExists(
        f"There is a voice {voice.name!r}, or one with its id {voice.id!r}, already: choose "
        "another name. A registered voice can be deleted first.",
        fields={"name": ["Is taken."]},
    )


def too_many_voices(limit: int) -> TooManyVoices:
    """Return the error for a full registry."""
    return TooManyVoices(
        f"{limit} voices are registered, as many as QWEN_MAX_VOICES allows: delete one."
    )


def _read_current(folder: Path) -> Voice:
    """Return the voice in a folder that others may add, delete and replace meanwhile."""
    try:
        return _read_metadata(folder)
    except FileNotFoundError:
        if not folder.is_dir():
            raise
        # Each is renamed as a whole: what is missing was of another one.
        return _read_metadata(folder)


def _read_metadata(folder: Path) -> Voice:
    data = read_regular(folder / _METADATA, MAX_METADATA_BYTES)
    metadata: dict[str, Any] = json.loads(data, parse_constant=refuse_constant)
    voice = Voice(**metadata)
    for name, default in asdict(Voice("", "")).items():
        value = getattr(voice, name)
        if type(value) is not type(default):
            raise ValueError(f"{name} is {shown(value)}")
    if voice.id != folder.name or voice.kind != "registered":
        raise ValueError(f"its id is {shown(voice.id)}, its kind {shown(voice.kind)}")
    try:
        if check_name(voice.name) != voice.name:
            raise ValueError(f"its name is {shown(voice.name)}")
        check_ref_text(voice.ref_text)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    os.close(open_regular(folder / _RECORDING, MAX_RECORDING_BYTES))
    return voice


def _wav(samples: Waveform) -> bytes:
    """Encode a WAV file in memory: libsndfile does not report a full disk."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE_HZ, subtype="FLOAT", format="WAV")
    return buffer.getvalue()


def _read_wav(file: IO[bytes]) -> Waveform:
    """Decode a file that `_wav` encoded; other formats are refused before their header counts."""
    with soundfile.SoundFile(file) as audio:
        kind = (audio.format, audio.subtype, audio.channels, audio.samplerate)
        if kind != ("WAV", "FLOAT", 1, SAMPLE_RATE_HZ):
            raise ValueError(f"it is {kind}")
        samples: Waveform = audio.read(MAX_RECORDING_BYTES // 4, dtype="float32")
    return samples


def _digest(samples: Waveform) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples, "<f4").tobytes()).hexdigest()
