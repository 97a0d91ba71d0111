"""How large a body may be: at most, to the byte, and with a recording in it."""

from __future__ import annotations

import io

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from qwen_tts_api.config import Config
from qwen_tts_api.errors import BodyTooLarge
from qwen_tts_api.routes.bodies.body import largest_body, read_body

MAX_BYTES = 100
CONFIG = Config(max_body_bytes=MAX_BYTES, max_audio_bytes=300)


def request_of(body: bytes, *, chunked: bool) -> Request:
    """Return a request whose body the server has received."""
    builder = EnvironBuilder(method="POST", content_type="application/json")
    environ = builder.get_environ()
    environ["wsgi.input"] = io.BytesIO(body)
    if chunked:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        environ["CONTENT_LENGTH"] = str(len(body))
    return Request(environ)


def is_read(body: bytes, *, chunked: bool) -> bool:
    try:
        found = read_body(request_of(body, chunked=chunked), CONFIG)
    except BodyTooLarge:
        return False
    assert found == body
    return True


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_as_many_bytes_as_it_may(chunked: bool) -> None:
    assert is_read(b"x" * MAX_BYTES, chunked=chunked)
    assert not is_read(b"x" * (MAX_BYTES + 1), chunked=chunked)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_recording_counts_apart(chunked: bool) -> None:
    """What is beside it has as many bytes as without one; it is a third larger in base64."""
    assert largest_body(CONFIG) == MAX_BYTES + 400

    def body(num_audio: int, num_other: int) -> bytes:
        frame = b'{"ref_audio":"%s","text":"%s"}'
        return frame % (b"A" * num_audio, b"x" * (num_other - len(frame) + 4))

    assert is_read(body(400, MAX_BYTES), chunked=chunked)
    assert not is_read(body(300, MAX_BYTES + 1), chunked=chunked)
    assert not is_read(body(401, MAX_BYTES), chunked=chunked)
