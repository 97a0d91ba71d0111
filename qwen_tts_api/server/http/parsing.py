"""gunicorn's parser, stricter, over bytes that have been received already."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader

from qwen_tts_api.server.http.framing import FramingLimits

# As gunicorn reads from a socket: small, where the parser keeps what it does not use.
_PIECE_BYTES = 8192
_LARGE_PIECE_BYTES = 1 << 20

MAX_CHUNK_HEADS_BYTES = 1 << 19
"""100,000 chunks of a byte, for which the parser takes a second."""

# RFC 3986, section 3.2: a host, and perhaps a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")


def framing_limits(cfg: Any, max_body_bytes: int) -> FramingLimits:
    """Return how much of a request is waited for: a little more than gunicorn's settings allow."""
    field_bytes = cfg.limit_request_field_size + 2
    head_bytes = cfg.limit_request_line + cfg.limit_request_fields * field_bytes + 1024
    return FramingLimits(cfg.limit_request_line, head_bytes, max_body_bytes, MAX_CHUNK_HEADS_BYTES)


class BufferReader(Unreader):  # type: ignore[misc]
    """What the parser reads from: a request's bytes, and never the connection.

    Attributes:
        ending: Raised behind the last byte; None is the end of the connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()
        self._position = 0
        self.ending: Exception | None = None

    def fill(self, data: bytearray, ending: Exception | None = None) -> None:
        """Let this be what is read next."""
        self._data, self._position, self.ending = data, 0, ending

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next piece."""
        size = min(max(size_hint or 0, _PIECE_BYTES), _LARGE_PIECE_BYTES)
        piece = bytes(memoryview(self._data)[self._position : self._position + size])
        self._position += len(piece)
        if self._position == len(self._data):  # a large body is held once while it is answered
            self._data, self._position = bytearray(), 0
        if not piece and self.ending is not None:
            raise self.ending
        return piece

    def take_rest(self) -> bytearray:
        """Return, and forget, what has not been read: the beginning of the next request."""
        rest = bytearray(self.take_buffered())
        rest += memoryview(self._data)[self._position :]
        self.fill(bytearray())
        return rest


class StrictRequest(Request):  # type: ignore[misc]
    """A request whose host is named, and whose body comes in no coding that nobody here decodes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        hosts = [value for name, value in self.headers if name == "HOST"]
        if self.version >= (1, 1) and not hosts:
            raise MissingHost()
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise InvalidHeader("HOST", req=self)
        for name, value in self.headers:
            # gunicorn takes `gzip, chunked`, and leaves it to the application to unpack it.
            if name == "TRANSFER-ENCODING" and value.lower() != "chunked":
                raise UnsupportedTransferCoding(value)


class MissingHost(InvalidHeader):  # type: ignore[misc]
    """A request of HTTP/1.1 without a Host field (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("HOST")

    def __str__(self) -> str:
        return "HTTP/1.1 needs a Host field"


class StrictParser(RequestParser):  # type: ignore[misc]
    """The parser of one connection, request after request."""

    mesg_class = StrictRequest

    def __init__(self, cfg: Any, client: Any) -> None:
        super().__init__(cfg, (), client)
        self.unreader: BufferReader = BufferReader()
