"""Read files that may be anything, or nothing any more, without waiting and without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, max_bytes: int) -> int:
    """Return a descriptor of a file of up to `max_bytes`, to be closed by the caller.

    Raises:
        OSError: It is larger, or no file: to open a pipe would wait for a writer for ever.
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
    """Return what is in a file of up to `max_bytes`.

    Raises:
        OSError: As `open_regular`.
    """
    with os.fdopen(open_regular(path, max_bytes), "rb") as file:
        return file.read(max_bytes)
