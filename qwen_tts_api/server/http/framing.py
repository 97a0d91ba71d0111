"""Incremental HTTP/1.1 framing: finds the end of a request while its bytes arrive.

It only decides when a request is dispatched to a thread. gunicorn's parser then reads the same
bytes, and alone judges the syntax: a request that looks invalid here is given to it as it is.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


class Progress(enum.Enum):
    """How much of a request has been received."""

    HEAD = "the head is incomplete"
    BODY = "the body is incomplete"
    COMPLETE = "complete"
    INVALID = "invalid, whatever follows"
    TOO_LARGE = "the body is larger than the limit"
    TOO_MANY_CHUNKS = "the body has more chunks than the limit"


@dataclass(frozen=True)
class FramingLimits:
    """Size limits of one request, in bytes.

    Attributes:
        request_line, head, body: Of a request.
        chunk_heads: The framing of a chunked body. It limits the number of chunks: a chunk of one
            byte costs as much time as a large one, and 5 bytes of this.
    """

    request_line: int
    head: int
    body: int
    chunk_heads: int


_CRLF = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_FIRST_BYTE = re.compile(rb"[A-Za-z\r]")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_FIELD = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.I
)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_MAX_CHUNK_LINE = 8190


class RequestFraming:
    r"""Scan a growing buffer, each byte once, until it holds a complete request.

    >>> framing = RequestFraming(FramingLimits(8190, 65_536, 1024, 512))
    >>> framing.advance(bytearray(b"GET / HTTP/1.1\r\nHost: x\r\n"))
    <Progress.HEAD: 'the head is incomplete'>
    >>> framing.advance(bytearray(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    <Progress.COMPLETE: 'complete'>

    Attributes:
        head_end: Where the body begins; 0 while the head is incomplete.
        expects_continue: Whether the client waits for `100 Continue` before it sends the body.
    """

    def __init__(self, limits: FramingLimits) -> None:
        self._limits = limits
        self._seen = 0
        self._body_end = 0
        self._chunk_at: int | None = None
        self._trailers_at = 0
        self._chunked_bytes = self._chunk_heads_bytes = 0
        self.head_end = 0
        self.expects_continue = False

    def advance(self, buffer: bytearray) -> Progress:
        """Return the progress; `buffer` is that of the last call with bytes appended."""
        if not self.head_end:
            progress = self._find_head(buffer)
            if progress is not None:
                return progress
        if self._chunk_at is not None:
            return self._follow_chunks(buffer)
        if self._body_end - self.head_end > self._limits.body:
            return Progress.TOO_LARGE
        return Progress.COMPLETE if len(buffer) >= self._body_end else Progress.BODY

    def _find_head(self, buffer: bytearray) -> Progress | None:
        """Return None when the head is complete and valid, else the progress."""
        end = buffer.find(_HEAD_END, max(0, self._seen - 3))
        if end < 0:
            is_invalid = self._is_no_head(buffer)
            self._seen = len(buffer)
            return Progress.INVALID if is_invalid else Progress.HEAD
        self.head_end = end + len(_HEAD_END)
        return self._read_fields(bytes(buffer[: self.head_end]))

    def _is_no_head(self, buffer: bytearray) -> bool:
        """Return whether the parser would reject these bytes, whatever follows."""
        longest_line = self._limits.request_line + 2 * len(_CRLF)
        return bool(
            not _FIRST_BYTE.match(buffer)
            or _BARE_LF.search(buffer, max(0, self._seen - 1))
            or (len(buffer) > longest_line and buffer.find(_CRLF, 2, longest_line) < 0)
            or len(buffer) > self._limits.head
        )

    def _read_fields(self, head: bytes) -> Progress | None:
        values: dict[bytes, bytes] = {}
        for name, value in _FIELD.findall(head):
            if name.lower() in values:
                return Progress.INVALID
            values[name.lower()] = value
        length = values.get(b"content-length")
        coding = values.get(b"transfer-encoding")
        expectation = values.get(b"expect", b"").lower()
        if expectation not in (b"", b"100-continue") or (length and coding):
            return Progress.INVALID
        self.expects_continue = bool(expectation)
        self._body_end = self.head_end
        if coding is not None:
            self._chunk_at = self.head_end
            return None if coding.lower() == b"chunked" else Progress.INVALID
        if length is not None:
            if not _LENGTH.fullmatch(length):
                return Progress.INVALID
            self._body_end += int(length)
        return None

    def _follow_chunks(self, buffer: bytearray) -> Progress:
        while not self._trailers_at:
            assert self._chunk_at is not None
            end = buffer.find(_CRLF, self._chunk_at)
            if end < 0:
                is_long = len(buffer) - self._chunk_at > _MAX_CHUNK_LINE
                return Progress.INVALID if is_long else Progress.BODY
            size = buffer[self._chunk_at : end].split(b";", 1)[0].rstrip(b" \t")
            if not _CHUNK_SIZE.fullmatch(size):
                return Progress.INVALID
            num_bytes = int(size, 16)
            self._chunked_bytes += num_bytes
            self._chunk_heads_bytes += end - self._chunk_at + 2 * len(_CRLF)
            if self._chunked_bytes > self._limits.body:
                return Progress.TOO_LARGE
            if self._chunk_heads_bytes > self._limits.chunk_heads:
                return Progress.TOO_MANY_CHUNKS
            if not num_bytes:
                self._trailers_at = end + len(_CRLF)
                self._seen = self._trailers_at
                break
            self._chunk_at = end + len(_CRLF) + num_bytes + len(_CRLF)
        return self._find_trailers_end(buffer)

    def _find_trailers_end(self, buffer: bytearray) -> Progress:
        start = self._trailers_at
        if buffer.startswith(_CRLF, start):
            return Progress.COMPLETE
        if buffer.find(_HEAD_END, max(start, self._seen - 3)) >= 0:
            return Progress.COMPLETE
        self._seen = len(buffer)
        return Progress.INVALID if len(buffer) - start > self._limits.head else Progress.BODY
