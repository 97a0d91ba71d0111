"""A file of the operator's that is read again when it changes, such as a mounted Secret."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from qwen_tts_api.errors import ConfigError
from qwen_tts_api.files import read_regular

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 1 << 20
SETTLE_S = 2.0
"""An empty file that is younger than this is one that is being written: editors, and `>` of a
shell, empty it first."""


class Content(Protocol):
    """What a file is parsed into."""

    @property
    def faults(self) -> Sequence[str]:
        """Return what is wrong with its lines."""

    @property
    def summary(self) -> str:
        """Return what is right, for the log."""


T = TypeVar("T", bound=Content)


class ReloadedFile(Generic[T]):
    """The content of a file, checked whenever it is asked for (`stat`, microseconds).

    After the start an invalid line is logged, and the others hold; if the file cannot be read, or
    has just been emptied, what was read last remains.

    Args:
        path: Of the file, of up to MAX_FILE_BYTES.
        setting: That names it, for errors.
        what: Its content, for the log: `API keys`.
        parse: Never raises.

    Raises:
        ConfigError: The file cannot be read, or has an invalid line.
    """

    def __init__(self, path: Path, setting: str, what: str, parse: Callable[[bytes], T]) -> None:
        self._path = path
        self._what = what
        self._parse = parse
        self._lock = threading.Lock()
        self.is_readable = True
        try:
            self._version = self._stat()
            self._content = parse(read_regular(path, MAX_FILE_BYTES))
        except OSError as error:
            raise ConfigError(f"{setting}={path}: {error.strerror}.") from error
        if self._content.faults:
            raise ConfigError(f"{setting}={path}: {self._content.faults[0]}.")
        self._log()

    def current(self) -> T:
        """Return the content; reload the file if it has changed."""
        with self._lock:
            try:
                version = self._stat()
                if version != self._version or not self.is_readable:
                    data = read_regular(self._path, MAX_FILE_BYTES)
                    if not data and _is_young(version[0]):
                        raise OSError(errno.ENODATA, "it has just been emptied", str(self._path))
                    self._content = self._parse(data)
                    self._version, self.is_readable = version, True
                    self._log()
            except OSError as error:
                if self.is_readable:
                    logger.error("the previous %s remain valid: %s", self._what, error)
                self.is_readable = False
            return self._content

    def _log(self) -> None:
        logger.info("valid %s: %s", self._what, self._content.summary)
        for fault in self._content.faults:
            logger.error("the %s in %s: %s", self._what, self._path, fault)

    def _stat(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size


def _is_young(changed_ns: int) -> bool:
    """Return whether a file has just been changed; one of the future has not."""
    return 0 <= time.time() - changed_ns / 1e9 < SETTLE_S
