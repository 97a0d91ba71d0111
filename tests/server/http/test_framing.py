"""Where a request ends: the same wherever its bytes are cut, and where gunicorn's parser ends."""

from __future__ import annotations

import pytest
from gunicorn.config import Config

from qwen_tts_api.server.http.framing import FramingLimits, Progress, RequestFraming
from qwen_tts_api.server.http.parsing import StrictParser
from tests.rows import for_each

LIMITS = FramingLimits(request_line=200, head=2000, body=1000, chunk_heads=500)
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

WHOLE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    POST + b"Content-Length: 0\r\n\r\n",
    POST + b"content-length:   7  \r\nX: y\r\n\r\na\r\n\r\nb\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b'5\r\nab\r\nc\r\n1;x="y"\r\nd\r\n000\r\n\r\n',
    CHUNKED + b"A\r\n0123456789\r\n0\r\nChecksum: 1\r\nX: y\r\n\r\n",
]


def progress_of(data: bytes, cut: int) -> list[Progress]:
    """Return what is told of the first bytes, and of all."""
    framing, buffer = RequestFraming(LIMITS), bytearray(data[:cut])
    first = framing.advance(buffer)
    buffer += data[cut:]
    return [first, framing.advance(buffer)]


@for_each("request_", WHOLE)
def test_a_request_is_whole_with_its_last_byte(request_: bytes) -> None:
    """And not a byte before, wherever it is cut."""
    for cut in range(1, len(request_)):
        first, last = progress_of(request_, cut)
        assert first in (Progress.HEAD, Progress.BODY), cut
        assert last is Progress.COMPLETE, cut


@for_each("request_", WHOLE)
def test_the_parser_ends_at_the_same_byte(request_: bytes) -> None:
    """Behind what is whole by the framing, the next request begins, by the parser."""
    parser = StrictParser(Config(), ("127.0.0.1", 1))
    parser.unreader.fill(bytearray(request_ + b"NEXT"))
    next(parser).body.read()
    assert parser.unreader.take_rest() == b"NEXT"


@for_each(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /" + b"a" * 300,
        POST + b"X: " + b"a" * 3000,
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Content-Length: +1\r\n\r\n",
        POST + b"Content-Length: \xb2\r\n\r\n",
        POST + b"Content-Length: 1, 1\r\n\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Expect: a miracle\r\nContent-Length: 5\r\n\r\n",
        CHUNKED + b"ZZ\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"1" * 9000,
        CHUNKED + b"0\r\nX: " + b"a" * 3000,
    ],
)
def test_what_no_more_bytes_would_mend_is_not_waited_for(data: bytes) -> None:
    """The parser refuses it, now."""
    for cut in range(1, len(data)):
        assert progress_of(data, cut)[1] in (Progress.INVALID, Progress.TOO_LARGE)


@for_each(
    "data",
    [
        POST + b"Content-Length: 1001\r\n\r\n",
        POST + b"Content-Length: 999999999999999999\r\n\r\n",
        CHUNKED + b"3e9\r\n",
        CHUNKED + b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\n",
        CHUNKED + b"ffffffffffffffff\r\n",
    ],
)
def test_what_is_too_large_is_not_waited_for(data: bytes) -> None:
    """By its length, or by its chunks."""
    assert RequestFraming(LIMITS).advance(bytearray(data)) is Progress.TOO_LARGE


@pytest.mark.parametrize("chunk", [b"1\r\na\r\n", b"1;" + b"x" * 40 + b"\r\na\r\n"])
def test_chunks_that_frame_next_to_nothing(chunk: bytes) -> None:
    """A body of 15 MB in chunks of a byte would take the parser a minute."""
    num = 500 // (len(chunk) - 1)
    assert RequestFraming(LIMITS).advance(bytearray(CHUNKED + chunk * num)) is Progress.BODY
    too_many = bytearray(CHUNKED + chunk * (num + 1))
    assert RequestFraming(LIMITS).advance(too_many) is Progress.TOO_MANY_CHUNKS


def test_each_byte_is_looked_at_once() -> None:
    """Else a body that comes byte by byte would take the loop a time that grows as its square."""

    class Counting(bytearray):
        looked_at = 0

        def find(self, what: bytes, start: int = 0, *rest: int) -> int:  # type: ignore[override]
            self.looked_at += len(self) - start
            return super().find(what, start, *rest)

    data = CHUNKED + b"3e0\r\n" + b"a" * 992 + b"\r\n0\r\nX: " + b"b" * 500
    buffer, framing = Counting(), RequestFraming(LIMITS)
    for byte in data:
        buffer.append(byte)
        framing.advance(buffer)
    assert buffer.looked_at < 10 * len(data)
