"""A client's connection and the request that it is receiving."""

from __future__ import annotations

import contextvars
import enum
import socket
import time
from typing import Any

from qwen_tts_api.server.http.framing import FramingLimits, Progress, RequestFraming
from qwen_tts_api.server.http.parsing import StrictParser


class Phase(enum.Enum):
    """The state of a connection, by what it waits for."""

    IDLE = "the next request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    BUSY = "an answer"
    LINGER = "the client to close it, too"


class Connection:
    """One client's connection. The loop's thread owns it; while BUSY, a thread of the pool does.

    Attributes:
        phase: What it waits for.
        since: When the phase began, by `time.monotonic`.
        buffer: Received bytes of an incomplete request.
        reusable: Whether it may be kept alive after the current request.
        context: The contextvars of the request that is being answered, its log context among them.
    """

    def __init__(self, sock: socket.socket, client: Any, server: Any, cfg: Any) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.parser = StrictParser(cfg, client)
        self.phase = Phase.HEAD
        self.since = time.monotonic()
        self.buffer = bytearray()
        self.framing: RequestFraming | None = None
        self.reusable = True
        self.context = contextvars.Context()

    def skip_empty_line(self, data: bytes) -> bytes:
        """Return bytes that came, without an empty line before a request (RFC 9112, section 2.2).

        They may be cut anywhere: the first of its two may be all that the buffer has.
        """
        if len(self.buffer) > 1 or not (bytes(self.buffer) + data[:2]).startswith(b"\r\n"):
            return data
        rest = data[2 - len(self.buffer) :]
        self.buffer.clear()
        self.framing = None
        return rest

    def receive(self, data: bytes, limits: FramingLimits) -> Progress:
        """Add bytes to the request; return how much of it has been received."""
        self.buffer += data
        if self.framing is None:
            self.framing = RequestFraming(limits)
        return self.framing.advance(self.buffer)

    def feed_parser(self, ending: Exception | None, *, reusable: bool) -> None:
        """Pass the buffer to the parser, which raises `ending` at its end."""
        self.parser.unreader.fill(self.buffer, ending)
        self.buffer = bytearray()
        self.framing = None
        self.reusable = reusable
        self.context = contextvars.copy_context()
