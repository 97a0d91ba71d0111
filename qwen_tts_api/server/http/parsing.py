"""gunicorn's HTTP parser, stricter, reading from a buffer instead of a socket."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.server.http.framing import FramingLimits

# Small, as gunicorn reads from a socket: the parser copies what it does not use.
_READ_BYTES = 8192
_LARGE_READ_BYTES = 1 << 20

MAX_CHUNK_HEADS_BYTES = 1 << 19
"""Enough for 100,000 chunks of one byte, which the parser takes a second for."""

# RFC 3986, section 3.2: a host, and perhaps a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")


def framing_limits(cfg: Any, max_body_bytes: int) -> FramingLimits:
    """Return the size limits of a request: a little above gunicorn's, whose errors come first."""
    field_bytes = cfg.limit_request_field_size + 2
    head_bytes = cfg.limit_request_line + cfg.limit_request_fields * field_bytes + 1024
    return FramingLimits(cfg.limit_request_line, head_bytes, max_body_bytes, MAX_CHUNK_HEADS_BYTES)


# RFC 8446, section 5.1: a handshake, of any version.
_TLS_RECORD = b"\x16\x03"
_TLS_MESSAGE = (
    "The client speaks TLS, and this port plain HTTP: use http:// instead of https://, or a "
    "reverse proxy with a certificate."
)


class BufferReader(Unreader):  # type: ignore[misc]
    """Feed the parser with the received bytes of a request; it never reads from the socket.

    Attributes:
        ending: Raised behind the last byte; None is the end of the stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()
        self._position = 0
        self.ending: Exception | None = None

    def fill(self, data: bytearray, ending: Exception | None = None) -> None:
        """Replace the buffer; bytes of a TLS handshake are an error that says so."""
        if data.startswith(_TLS_RECORD):
            data, ending = bytearray(), InvalidRequest(_TLS_MESSAGE)
        self._data, self._position, self.ending = data, 0, ending

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes."""
        size = min(max(size_hint or 0, _READ_BYTES), _LARGE_READ_BYTES)
        data = bytes(memoryview(self._data)[self._position : self._position + size])
        self._position += len(data)
        if self._position == len(self._data):  # release it: the request has a copy of a large body
            self._data, self._position = bytearray(), 0
        if not data and self.ending is not None:
            raise self.ending
        return data

    def take_rest(self) -> bytearray:
        """Remove and return the unread bytes: the beginning of a pipelined request."""
        rest = bytearray(self.take_buffered())
        rest += memoryview(self._data)[self._position :]
        self.fill(bytearray())
        return rest


class StrictRequest(Request):  # type: ignore[misc]
    """A request with a valid Host, and no transfer coding other than chunked.

    Its version is that of the response, too (RFC 9110, section 6.2): 1.1 at most.
    """

    version: tuple[int, int]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.version = min(self.version, (1, 1))
        hosts = [value for name, value in self.headers if name == "HOST"]
        if self.version >= (1, 1) and not hosts:
            raise MissingHost()
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise InvalidHeader("HOST", req=self)
        for name, value in self.headers:
            # gunicorn accepts `gzip, chunked`, and leaves decompression to the application.
            if name == "TRANSFER-ENCODING" and value.lower() != "chunked":
                raise UnsupportedTransferCoding(value)

    def should_close(self) -> bool:
        """Return whether the connection ends with the response.

        Where the next request would begin is unknown behind a malformed body. `Connection` may list
        more than `close` (RFC 9110, section 7.6.1), which gunicorn does not see.
        """
        if self.body.failed:
            return True
        listed = [value.lower().split(",") for name, value in self.headers if name == "CONNECTION"]
        return any("close" in map(str.strip, names) for names in listed) or super().should_close()


class MissingHost(InvalidHeader):  # type: ignore[misc]
    """HTTP/1.1 without a Host field (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("HOST")

    def __str__(self) -> str:
        return "HTTP/1.1 needs a Host field"


class StrictParser(RequestParser):  # type: ignore[misc]
    """Parse the successive requests of one connection."""

    mesg_class = StrictRequest

    def __init__(self, cfg: Any, client: Any) -> None:
        super().__init__(cfg, (), client)
        self.unreader: BufferReader = BufferReader()
