"""API keys: read from a file, and reloaded when it changes."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

from qwen_tts_api.config.reloaded_file import ReloadedFile

logger = logging.getLogger(__name__)

MIN_KEY_CHARS = 16

# Shorter than any key: longer text before a `=` is part of a key.
_NAME = re.compile(rf"[\w.-]{{1,{MIN_KEY_CHARS - 1}}}")


@dataclass(frozen=True)
class _Keys:
    """The content of a keys file.

    Attributes:
        names: Names by SHA-256 digest of the key.
        faults: Error messages for invalid lines.
    """

    names: dict[bytes, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """Return the names."""
        return ", ".join(dict.fromkeys(self.names.values())) or "none"


@dataclass(frozen=True)
class KeysStatus:
    """The state of the keys file.

    Attributes:
        state: `ok`; `faulty`: a line is invalid, or there is no key; `unreadable`: the keys that
            were read last remain valid.
        num_keys: Number of valid keys.
    """

    state: str
    num_keys: int


class ApiKeys:
    """The API keys of a file, one a line: `key` or `name=key`; empty lines and `#` are ignored.

    A name has fewer than 16 characters and a key at least 16, so that no part of a plain key with a
    `=` in it is accepted as a key. Since a plain key may begin like a name, the whole line of a
    named key is accepted, too.

    The file is checked for every request (`stat`, microseconds) and reloaded if it has changed, so
    that keys can be added and revoked without a restart, as in a mounted Secret of Kubernetes. An
    invalid line accepts no key, and neither does an empty file, seconds after it was emptied; until
    then, and if the file cannot be read, the previous keys remain valid.

    Raises:
        ConfigError: The file cannot be read, has no key, or has an invalid line.
    """

    def __init__(self, path: Path) -> None:
        self._file = ReloadedFile(path, "QWEN_API_KEYS_FILE", "API keys", _parse)

    def find(self, key: bytes) -> str | None:
        """Return the name of a key, or None; compares in constant time."""
        digest = _digest(key)
        found = None
        for known, name in self._file.current().names.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def status(self) -> KeysStatus:
        """Return the state of the file."""
        keys = self._file.current()
        state = "faulty" if keys.faults else "ok"
        names = set(keys.names.values())
        return KeysStatus(state if self._file.is_readable else "unreadable", len(names))


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
        for encoding in ("utf-8", "latin-1"):  # clients send either
            with contextlib.suppress(UnicodeEncodeError):
                keys.names[_digest(key.encode(encoding))] = name
    if after.strip("=") and not is_named:  # more than the padding of base64
        logger.warning(
            "line %d of the API keys is a key without a name, despite its '=': a name has up to %d "
            "characters, and its key at least %d",
            *(number, MIN_KEY_CHARS - 1, MIN_KEY_CHARS),
        )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
