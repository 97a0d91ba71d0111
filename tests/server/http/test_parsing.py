"""What the parser makes of bytes that are no HTTP."""

from __future__ import annotations

import ssl

import pytest
from gunicorn.config import Config

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.server.http.framing import FramingLimits, Progress, RequestFraming
from qwen_tts_api.server.http.parsing import StrictParser


@pytest.mark.parametrize(
    ("version", "listed", "closes"),
    [
        ("1.1", "keep-alive", False),
        ("1.1", "TE", False),
        ("1.1", "TE, Close", True),  # as Perl's LWP has it
        ("1.1", "close,keep-alive", True),
        ("1.0", "keep-alive", False),
        ("1.0", "TE", True),
    ],
)
def test_a_connection_ends_where_close_is_listed(version: str, listed: str, closes: bool) -> None:
    parser = StrictParser(Config(), ("127.0.0.1", 1))
    head = f"GET / HTTP/{version}\r\nHost: x\r\nConnection: {listed}\r\n\r\n"
    parser.unreader.fill(bytearray(head.encode()))
    assert next(parser).should_close() is closes


def test_a_client_of_tls_is_told_so() -> None:
    """At its first bytes: the log has the reason, as the client cannot show an answer."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = bytearray(outgoing.read())
    assert RequestFraming(FramingLimits(8190, 99_999, 999, 999)).advance(hello) is Progress.INVALID
    parser = StrictParser(Config(), ("127.0.0.1", 1))
    parser.unreader.fill(hello, ValueError("not HTTP"))
    with pytest.raises(InvalidRequest, match="use http:// instead of https://"):
        next(parser)
