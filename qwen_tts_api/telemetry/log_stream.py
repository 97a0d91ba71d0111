"""Non-blocking logging to standard error: lines that are not read are dropped and counted.

A pipe without a reader is full after 64 KiB; a plain `write` would then block every thread that
logs. Here the descriptor is polled before each write. Lines that it does not accept are buffered,
up to `MAX_PENDING_BYTES`; beyond that they are dropped, and their number is logged once the pipe is
read again. So it is with a file on a full disk. If the stream is closed, all lines are dropped.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import sys
import time
from collections import deque

STDERR = 2
MAX_PENDING_BYTES = 1 << 20
FLUSH_TIMEOUT_S = 0.5
"""How long the exit of the process waits for a reader."""

# A writable pipe takes PIPE_BUF bytes without blocking; a terminal guarantees less.
_WRITE_BYTES = 4096
_TERMINAL_WRITE_BYTES = 256

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NonBlockingHandler(logging.Handler):
    """Write log lines to a file descriptor without blocking.

    Args:
        descriptor: Standard error by default.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._write_bytes = _TERMINAL_WRITE_BYTES if _is_terminal(descriptor) else _WRITE_BYTES
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._num_dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write, buffer or drop a line."""
        try:
            line = (self.format(record) + "\n").encode(errors="backslashreplace")
        except Exception:
            self.handleError(record)
            return
        if self._pending_bytes + len(line) > MAX_PENDING_BYTES:
            self._num_dropped += 1
        else:
            self._append(line)
        self._write(0)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Write the buffered lines; wait up to `timeout_s` for a reader."""
        if not self._pending:
            return
        self.acquire()
        try:
            self._write(timeout_s)
        finally:
            self.release()

    def _append(self, line: bytes) -> None:
        self._pending.append(line)
        self._pending_bytes += len(line)

    def _write(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._pending:
            line = self._pending.popleft()
            try:
                written = self._write_part(line, deadline)
            except OSError:  # closed, at this end or the other
                self._pending.clear()
                self._pending_bytes = 0
                return
            self._pending_bytes -= written
            if written < len(line):
                self._pending.appendleft(line[written:])
            if not written:
                return
            if not self._pending and self._num_dropped:
                self._report_dropped()

    def _write_part(self, line: bytes, deadline: float) -> int:
        wait_ms = max(0, round(1000 * (deadline - time.monotonic())))
        if not self._poll.poll(wait_ms):
            return 0
        try:
            return os.write(self._descriptor, line[: self._write_bytes])
        except OSError as error:
            if error.errno in _FULL:  # there may be room later
                return 0
            raise

    def _report_dropped(self) -> None:
        """Log how many lines are missing at this place."""
        number, self._num_dropped = self._num_dropped, 0
        message = "%d lines of the log are missing here: it could not be written"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, message, (number,), None)
        self._append((self.format(record) + "\n").encode())


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def flush_pending() -> None:
    """Write the buffered lines of the root logger's handlers, without waiting."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, NonBlockingHandler):
            handler.flush(0)


def open_standard_streams() -> None:
    """Open closed standard streams as `/dev/null`.

    Otherwise the next file or socket would get that descriptor, and receive the log.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
    if sys.stderr is None:
        sys.stderr = os.fdopen(STDERR, "w", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
