"""Read bodies whole and strictly: what is cut short, too large or malformed is a 4xx."""

from __future__ import annotations

import io
import json
import re
from typing import IO, Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser

from qwen_tts_api.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding

MAX_FORM_FIELDS = 100

# Where a body has a recording in it: `ref_audio`, or the `audio` or `audio_sample` of a new voice.
_RECORDING = re.compile(rb'ref_audio|"audio(_sample)?"')


def largest_body(max_bytes: int, max_audio_bytes: int) -> int:
    """Return how many bytes a body may have with a recording in it, of which base64 makes more."""
    return max_bytes + 4 * -(-max_audio_bytes // 3)


def read_body(request: Request, max_bytes: int, max_audio_bytes: int = 0) -> bytes:
    """Return the body of a request, sent with a length or chunked.

    Flask's own reading is passed by: it takes a body that ends early for a whole one, and cuts a
    chunked one at the limit without a word. The server has received the body before; it raises here
    where that took too long.

    Args:
        max_bytes: Of all but a recording.
        max_audio_bytes: Of a recording that may be in it, as a file.

    Raises:
        BodyTooLarge: It has more bytes.
        UnsupportedEncoding: It is compressed: how large it would become, only unpacking it tells.
        InvalidRequest: It ends before its Content-Length, or its chunks are malformed.
        RequestTimeout: It did not come in time.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedEncoding(
            f"The body is encoded ({encoding!r} in Content-Encoding): send it as it is."
        )
    expected = request.content_length
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if expected is None and not chunked:
        return b""
    limit = largest_body(max_bytes, max_audio_bytes)
    if expected is not None and expected > limit:
        raise _too_large(max_bytes, max_audio_bytes)
    try:
        body: bytes = request.environ["wsgi.input"].read(limit + 1 if chunked else expected)
    except (OSError, ParseException) as error:
        raise InvalidRequest(f"The body cannot be read: {error}.") from None
    if len(body) > limit or (len(body) > max_bytes and not _RECORDING.search(body)):
        raise _too_large(max_bytes, max_audio_bytes)
    if expected is not None and len(body) < expected:
        raise InvalidRequest(f"The body ends after {len(body)} of {expected} bytes.")
    return body


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the object that a JSON body consists of.

    Raises:
        InvalidRequest: It is not strict JSON, or not an object.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidRequest("The body is not usable JSON: it is nested too deep.") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_json_type(document)}.")
    return document


def parse_form(request: Request, body: bytes) -> MultiDict[str, str]:
    """Return the fields of an urlencoded or multipart body; empty for any other type."""
    return parse_form_and_files(request, body)[0]


def parse_form_and_files(
    request: Request, body: bytes
) -> tuple[MultiDict[str, str], dict[str, bytes]]:
    """Return the fields of an urlencoded or multipart body, and its files by their fields' names.

    Raises:
        InvalidRequest: The multipart body is truncated or malformed.
    """
    if not body:
        return MultiDict(), {}
    environ = {
        **request.environ,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(body)),
    }
    parser = FormDataParser(
        stream_factory=_in_memory,
        max_form_memory_size=None,
        silent=False,
        max_form_parts=MAX_FORM_FIELDS,
    )
    try:
        _, form, files = parser.parse_from_environ(environ)
    except ValueError as error:
        raise InvalidRequest(f"The body is not a valid form: {error}.") from None
    if None in form or None in files:
        raise InvalidRequest("The body is not a valid form: a part of it has no name.")
    return form, {name: file.read() for name, file in files.items()}


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> IO[bytes]:
    """Return where a part of a form goes: the body is in memory already, and bounded."""
    return io.BytesIO()


def _too_large(max_bytes: int, max_audio_bytes: int) -> BodyTooLarge:
    audio = f", or {max_audio_bytes} more for a recording (QWEN_MAX_AUDIO_BYTES)"
    return BodyTooLarge(
        f"The body is larger than {max_bytes} bytes (QWEN_MAX_BODY_BYTES)"
        f"{audio if max_audio_bytes else ''}."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json_type(document: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return "null" if document is None else names.get(type(document), "a number")
