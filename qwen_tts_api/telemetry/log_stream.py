"""Standard error as a log that never blocks: what nobody reads is dropped, and counted.

A pipe that nobody reads is full after 64 KiB, and a plain `write` to it stops the thread that logs,
and soon every thread. Here the stream is asked whether it takes more. What it does not take waits,
up to `MAX_PENDING_BYTES`; beyond that, lines are lost, and their number is logged when it flows
again. A stream that is closed loses everything, and nothing else happens.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from collections import deque

STDERR = 2
MAX_PENDING_BYTES = 1 << 20
FLUSH_TIMEOUT_S = 0.5
"""How long the end of the process waits for a reader."""

# What poll(2) tells room for: PIPE_BUF of a pipe; a terminal promises less.
_PIECE_BYTES = 4096
_TERMINAL_PIECE_BYTES = 256


class NonBlockingHandler(logging.Handler):
    """Writes lines to a file descriptor as far as that takes them.

    Args:
        descriptor: Where to; standard error by default.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._piece_bytes = _TERMINAL_PIECE_BYTES if _is_terminal(descriptor) else _PIECE_BYTES
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._num_lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or keep it for later, or lose it."""
        try:
            line = (self.format(record) + "\n").encode(errors="backslashreplace")
        except Exception:
            self.handleError(record)
            return
        if self._pending_bytes + len(line) > MAX_PENDING_BYTES:
            self._num_lost += 1
        else:
            self._append(line)
        self._write(0)

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Write what waits; give a reader `timeout_s` to take it."""
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
                written = self._write_piece(line, deadline)
            except OSError:  # it is closed, at this end or the other
                self._pending.clear()
                self._pending_bytes = 0
                return
            self._pending_bytes -= written
            if written < len(line):
                self._pending.appendleft(line[written:])
            if not written:
                return
            if not self._pending and self._num_lost:
                self._report_lost()

    def _write_piece(self, line: bytes, deadline: float) -> int:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        wait_ms = max(0, round(1000 * (deadline - time.monotonic())))
        if not poll.poll(wait_ms):
            return 0
        return os.write(self._descriptor, line[: self._piece_bytes])

    def _report_lost(self) -> None:
        """Tell how many lines are missing here."""
        number, self._num_lost = self._num_lost, 0
        message = "%d lines of the log are missing here: nobody read it"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, message, (number,), None)
        self._append((self.format(record) + "\n").encode())


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def flush_pending() -> None:
    """Write what waited for a reader, if there is one now."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, NonBlockingHandler):
            handler.flush(0)


def open_standard_streams() -> None:
    """Open what is closed of standard input, output and error, as `/dev/null`.

    Otherwise the next file or socket would get that number, and what is meant for standard error
    would be written into it.
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
