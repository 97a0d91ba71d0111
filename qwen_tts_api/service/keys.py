"""The keys that clients show: read from a file, and again whenever it has changed."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from pathlib import Path

from qwen_tts_api.errors import ConfigError

logger = logging.getLogger(__name__)

MIN_KEY_CHARS = 16


class ApiKeys:
    """The keys of a file: one a line, plain or as `name=key`; empty lines and `#` are passed over.

    The file is looked at for every request (its times and size, microseconds), so that a key can be
    added or withdrawn without a restart, as Kubernetes does with a mounted Secret. A file that has
    become unreadable leaves the keys as they were.

    Raises:
        ConfigError: The file cannot be read, has no key, or a key that is too short.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._version = self._stat()
            self._names_by_digest = _read(path)
        except (OSError, ValueError) as error:
            raise ConfigError(f"QWEN_API_KEYS_FILE={path}: {error}.") from error

    def find(self, key: str) -> str | None:
        """Return the name of a key, or None; takes equally long for any key that is wrong."""
        self._refresh()
        digest = _digest(key)
        found = None
        for known, name in self._names_by_digest.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _refresh(self) -> None:
        with self._lock:
            try:
                version = self._stat()
                if version == self._version:
                    return
                self._version = version
                self._names_by_digest = _read(self._path)
                logger.info("read %d API keys", len(self._names_by_digest))
            except (OSError, ValueError) as error:
                logger.error("the API keys stay as they were: %s: %s", self._path, error)

    def _stat(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path) -> dict[bytes, str]:
    names: dict[bytes, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, _, key = entry.partition("=")
        if not key.strip("= "):  # none, or the padding of a plain key in base64
            name, key = f"key {number}", entry
        if len(key.strip()) < MIN_KEY_CHARS:
            raise ValueError(f"the key in line {number} has fewer than {MIN_KEY_CHARS} characters")
        names[_digest(key.strip())] = name.strip()
    if not names:
        raise ValueError("there is no key in it")
    return names


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
