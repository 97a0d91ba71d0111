"""What the parser is not even asked about."""

from __future__ import annotations

import ssl

from gunicorn.http.errors import InvalidRequestLine

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.server.http.framing import FramingLimits, Progress, RequestFraming
from qwen_tts_api.server.http.parsing import not_http


def test_a_client_of_tls_is_told_so() -> None:
    """At its first bytes: the log has the reason, as the client cannot show an answer."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        hello = bytearray(outgoing.read())
    assert RequestFraming(FramingLimits(8190, 99_999, 999, 999)).advance(hello) is Progress.INVALID
    error = not_http(hello)
    assert isinstance(error, InvalidRequest)
    assert "use http:// instead of https://" in error.message
    assert isinstance(not_http(b"\x00GET"), InvalidRequestLine)
