"""Registered voices on the disk, each of which is there as a whole or not at all.

    <folder>/<id>/voice.json    what is known about it
    <folder>/<id>/audio.wav     its recording: 32-bit float, mono, 24 kHz

A voice is written under a hidden name and synced before it gets its own; deletion goes the other
way. Nothing is kept in memory: processes may share a folder, and what one adds the others see.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from qwen_tts_api.errors import VoiceExists
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.voice import MAX_ID_CHARS, Voice

logger = logging.getLogger(__name__)

Samples = npt.NDArray[np.float32]

_ID = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_ID_CHARS - 1}}}")
_DESCRIPTION = "voice.json"
_RECORDING = "audio.wav"
# A leading dot: no id begins with one.
_SCRATCH = ".scratch-"


class VoiceStore:
    """The voices in a folder, which is made when the first one is added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._complained_of: set[str] = set()

    def clean(self) -> None:
        """Remove what writers and deleters left that were killed; those at work go on.

        Raises:
            OSError: The folder cannot be read.
        """
        for path in self._entries():
            if path.name.startswith(_SCRATCH):
                with contextlib.suppress(BlockingIOError, FileNotFoundError), _lock(path):
                    logger.warning("removing %s, which was left half-written", path)
                    shutil.rmtree(path, ignore_errors=True)

    def all(self) -> list[Voice]:
        """Return the voices that can be read, oldest first; of the others, the log tells.

        Raises:
            OSError: The folder cannot be read.
        """
        voices = [voice for name in self._ids() if (voice := self.get(name)) is not None]
        return sorted(voices, key=lambda voice: (voice.created_at, voice.id))

    def count(self) -> int:
        """Return how many voices there are, readable or not.

        Raises:
            OSError: The folder cannot be read.
        """
        return len(self._ids())

    def get(self, voice_id: str) -> Voice | None:
        """Return a voice, or None where there is none or it cannot be read."""
        if not _ID.fullmatch(voice_id):
            return None
        folder = self._folder / voice_id
        try:
            return _read_description(folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder.is_dir():
                self._complain(voice_id, error)
        except (OSError, ValueError, TypeError) as error:
            self._complain(voice_id, error)
        return None

    def add(self, voice: Voice, samples: Samples) -> Voice:
        """Write a voice, and return it with the digest of its samples.

        Raises:
            VoiceExists: There is one of this id.
            OSError: It cannot be written; then nothing of it is left.
        """
        described = asdict(voice) | {"digest": _digest(samples)}
        # Recordings of people: for this user only.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = self._scratch()
        scratch.mkdir()
        try:
            with _lock(scratch):
                with _synced(scratch / _RECORDING) as file:
                    soundfile.write(file, samples, SAMPLE_RATE_HZ, subtype="FLOAT", format="WAV")
                with _synced(scratch / _DESCRIPTION) as file:
                    file.write(json.dumps(described, ensure_ascii=False, indent=1).encode())
                _sync_folder(scratch)
                try:
                    # Fails where the voice exists, since its folder is not empty.
                    scratch.rename(self._folder / voice.id)
                except OSError:
                    if not (self._folder / voice.id).exists():
                        raise
                    raise voice_exists(voice.name) from None
                _sync_folder(self._folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Voice(**described)

    def delete(self, voice_id: str) -> bool:
        """Remove a voice, readable or not; return whether there was one.

        Raises:
            OSError: It cannot be removed.
        """
        if not _ID.fullmatch(voice_id):
            return False
        scratch = self._scratch()
        try:
            (self._folder / voice_id).rename(scratch)
        except (FileNotFoundError, NotADirectoryError):
            return False
        _sync_folder(self._folder)
        shutil.rmtree(scratch, ignore_errors=True)
        return True

    def samples(self, voice: Voice) -> Samples:
        """Return the recording of a voice, float32 `[n]`, mono, at SAMPLE_RATE_HZ.

        Raises:
            OSError: It cannot be read, or is not what was written.
        """
        path = self._folder / voice.id / _RECORDING
        try:
            samples: Samples = soundfile.read(path, dtype="float32")[0]
        except soundfile.SoundFileError as error:
            raise OSError(f"{path} cannot be read: {error}") from error
        if _digest(samples) != voice.digest:
            raise OSError(f"{path} is not what was written: its digest differs")
        return samples

    def _ids(self) -> list[str]:
        return [path.name for path in self._entries() if _ID.fullmatch(path.name)]

    def _entries(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _scratch(self) -> Path:
        return self._folder / f"{_SCRATCH}{os.getpid()}-{secrets.token_hex(6)}"

    def _complain(self, voice_id: str, error: Exception) -> None:
        if voice_id not in self._complained_of:
            self._complained_of.add(voice_id)
            logger.error("the voice in %s cannot be read: %r", self._folder / voice_id, error)


def voice_exists(name: str) -> VoiceExists:
    """Return the error that says that a name is taken."""
    return VoiceExists(
        f"There is a voice {name!r} already: choose another name, or delete that one.",
        fields={"name": ["Is taken."]},
    )


def _read_description(folder: Path) -> Voice:
    described: dict[str, Any] = json.loads((folder / _DESCRIPTION).read_bytes())
    voice = Voice(**described)
    for name, default in asdict(Voice("", "")).items():
        value = getattr(voice, name)
        if type(value) is not type(default):
            raise ValueError(f"{name} is {value!r}")
    if voice.id != folder.name:
        raise ValueError(f"its id is {voice.id!r}")
    (folder / _RECORDING).stat()
    return voice


def _digest(samples: Samples) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples, "<f4").tobytes()).hexdigest()


@contextlib.contextmanager
def _synced(path: Path) -> Iterator[Any]:
    """Open a file for writing, and see it through to the disk."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Own a folder as long as this process lives.

    Raises:
        BlockingIOError: Another owns it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
