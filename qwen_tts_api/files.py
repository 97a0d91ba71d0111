"""Read files of bounded size and strictly, write them durably (fsync), lock folders (flock)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

LOCK_TIMEOUT_S = 10.0
"""How long `lock` waits for another process, which holds it for milliseconds."""


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have: `parse_constant` of `json`.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is not JSON")


def open_regular(path: Path, max_bytes: int) -> int:
    """Open a regular file of up to `max_bytes`; return a descriptor that the caller closes.

    Raises:
        OSError: It is larger, or not a regular file. Opening never blocks, as on a pipe it would.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= max_bytes:
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    raise OSError(errno.EFBIG, f"it has more than {max_bytes} bytes", str(path))


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file of up to `max_bytes`.

    Raises:
        OSError: As `open_regular`.
    """
    with os.fdopen(open_regular(path, max_bytes), "rb") as file:
        return file.read(max_bytes)


def check_writable(folder: Path) -> None:
    """Create a folder if needed, and a file in it for a moment.

    Raises:
        OSError: It cannot be written, which its permissions do not show of a read-only disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def write_synced(path: Path, data: bytes) -> None:
    """Write a file, and flush it to the disk (fsync)."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file or folder; errors are ignored."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk (fsync)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(folder: Path, wait_s: float | None = None) -> Iterator[None]:
    """Hold an exclusive lock (flock) on a folder; the kernel releases it if the process dies.

    Raises:
        BlockingIOError: Another process holds it for longer than `wait_s` seconds (default:
            LOCK_TIMEOUT_S).
    """
    deadline = time.monotonic() + (LOCK_TIMEOUT_S if wait_s is None else wait_s)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
