"""A connection, and what has come over it so far."""

from __future__ import annotations

import contextvars
import enum
import socket
import time
from typing import Any

from qwen_tts_api.server.http.framing import FramingLimits, Progress, RequestFraming
from qwen_tts_api.server.http.parsing import StrictParser


class Phase(enum.Enum):
    """What a connection waits for."""

    IDLE = "the next request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    BUSY = "an answer"
    LINGER = "the client to close it, too"


class Connection:
    """One client's connection; the loop's thread owns it, or while it is busy another one.

    Attributes:
        phase: What it waits for.
        since: Since when, by `time.monotonic`.
        buffer: What has been received of a request that is not whole.
        reusable: Whether another request may follow the one that is being answered.
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

    def receive(self, data: bytes, limits: FramingLimits) -> Progress:
        """Take more bytes of a request; tell how much of it is there."""
        self.buffer += data
        if self.framing is None:
            self.framing = RequestFraming(limits)
        return self.framing.advance(self.buffer)

    def hand_over(self, ending: Exception | None, *, reusable: bool) -> None:
        """Let the parser read what is there, and find `ending` behind it."""
        self.parser.unreader.fill(self.buffer, ending)
        self.buffer = bytearray()
        self.framing = None
        self.reusable = reusable
        self.context = contextvars.copy_context()
