"""The keys that clients show: read from a file, and again whenever it has changed."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import hmac
import logging
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from qwen_tts_api.errors import ConfigError
from qwen_tts_api.files import read_regular

logger = logging.getLogger(__name__)

MIN_KEY_CHARS = 16
MAX_FILE_BYTES = 1 << 20

# Shorter than any key: what stands before a `=` and is longer is a part of one.
_NAME = re.compile(rf"[\w.-]{{1,{MIN_KEY_CHARS - 1}}}")


@dataclass(frozen=True)
class _Keys:
    """What is in a file of keys.

    Attributes:
        names: By the digests of the keys.
        faults: What is wrong with lines that are none.
    """

    names: dict[bytes, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class KeysStatus:
    """Whether the file is as it should be.

    Attributes:
        state: `ok`; `faulty`, where a line is no key or there is none at all; `unreadable`, where
            those hold that were read last.
        num_keys: How many let clients in.
    """

    state: str
    num_keys: int


class ApiKeys:
    """The keys of a file: one a line, plain or as `name=key`; empty lines and `#` are passed over.

    A name has fewer characters than a key, 16, so that no half of a plain key with a `=` in it
    becomes one; since a plain key may begin like a name, the whole line lets in, too.

    The file is looked at for every request (its times and size, microseconds), so that a key can be
    added or withdrawn without a restart, as Kubernetes does with a mounted Secret. What it then
    says holds: a line that is no key lets nobody in, nor does a file without any. Only where it
    cannot be read, the keys stay as they were.

    Raises:
        ConfigError: The file cannot be read, has no key, or a line that is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._readable = True
        try:
            self._version = self._stat()
            self._keys = _parse(read_regular(path, MAX_FILE_BYTES))
        except OSError as error:
            raise ConfigError(f"QWEN_API_KEYS_FILE={path}: {error.strerror}.") from error
        if self._keys.faults:
            raise ConfigError(f"QWEN_API_KEYS_FILE={path}: {self._keys.faults[0]}.")
        self._tell()

    def find(self, key: bytes) -> str | None:
        """Return the name of a key, or None; takes equally long for any key that is wrong."""
        digest = _digest(key)
        found = None
        for known, name in self._current().names.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def status(self) -> KeysStatus:
        """Return whether the file is as it should be."""
        keys = self._current()
        state = "faulty" if keys.faults else "ok"
        names = set(keys.names.values())
        return KeysStatus(state if self._readable else "unreadable", len(names))

    def _current(self) -> _Keys:
        """Return the keys, read anew if the file has changed."""
        with self._lock:
            try:
                version = self._stat()
                if version != self._version or not self._readable:
                    self._keys = _parse(read_regular(self._path, MAX_FILE_BYTES))
                    self._version, self._readable = version, True
                    self._tell()
            except OSError as error:
                if self._readable:
                    logger.error("the API keys stay as they were: %s", error)
                self._readable = False
            return self._keys

    def _tell(self) -> None:
        names = dict.fromkeys(self._keys.names.values())
        logger.info("API keys that let in: %s", ", ".join(names) or "none")
        for fault in self._keys.faults:
            logger.error("the API keys in %s: %s", self._path, fault)

    def _stat(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size


def _parse(data: bytes) -> _Keys:
    keys = _Keys()
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        try:
            entry = line.decode().strip()
        except UnicodeDecodeError:
            keys.faults.append(f"line {number} is not UTF-8")
            continue
        if entry and not entry.startswith("#"):
            _add(entry, number, keys)
    if not keys.names and not keys.faults:
        keys.faults.append("there is no key in it")
    return keys


def _add(entry: str, number: int, keys: _Keys) -> None:
    if len(entry) < MIN_KEY_CHARS:
        keys.faults.append(f"the key in line {number} has fewer than {MIN_KEY_CHARS} characters")
        return
    before, _, after = (part.strip() for part in entry.partition("="))
    is_named = len(after) >= MIN_KEY_CHARS and _NAME.fullmatch(before)
    name = before if is_named else f"key {number}"
    for key in (entry, after) if is_named else (entry,):
        for encoding in ("utf-8", "latin-1"):  # clients send the one or the other
            with contextlib.suppress(UnicodeEncodeError):
                keys.names[_digest(key.encode(encoding))] = name
    if after.strip("=") and not is_named:  # more than the padding of base64
        logger.warning(
            "line %d of the API keys is one key as a whole, with its '=': a name has up to %d "
            "characters, and its key at least %d",
            *(number, MIN_KEY_CHARS - 1, MIN_KEY_CHARS),
        )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
