"""Read and parse request bodies; a truncated, oversized or malformed one is a 4xx."""

from __future__ import annotations

import re
from typing import Any

from flask import Request
from gunicorn.http.errors import ParseException

from qwen_tts_api.config import Config
from qwen_tts_api.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding
from qwen_tts_api.names import shown
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.routes.bodies.form import (
    MAX_FIELDS,
    Form,
    parse_multipart,
    parse_urlencoded,
    split_multipart,
)

RECORDINGS = ("ref_audio", "audio", "audio_sample")
"""Fields with a recording, by whose size a body may exceed the limit."""

# Base64 contains no quote and, urlencoded, no `&`.
_IN_JSON = re.compile(rb'"(?:ref_audio|audio|audio_sample)"\s*:\s*"([^"]*)"')
_IN_FORM = re.compile(rb"(?:^|&)(?:ref_audio|audio|audio_sample)=([^&]*)")


def largest_body(config: Config) -> int:
    """Return the maximum size of a body with a recording, which base64 makes a third larger."""
    return config.max_body_bytes + 4 * -(-config.max_audio_bytes // 3)


def read_body(request: Request, config: Config) -> bytes:
    """Return the body of a request, sent with a length or chunked.

    Flask's `get_data` is not used: it accepts a truncated body, and silently truncates a chunked
    one at the limit. The server has received the whole body before the request gets here.

    Args:
        request: The request.
        config: Has the limits, of a recording and of all else.

    Raises:
        BodyTooLarge: It has more bytes.
        UnsupportedEncoding: It is compressed, so that its size is not known before decompression.
        InvalidRequest: It ends before its Content-Length, or its chunks are malformed.
        RequestTimeout: It was not received in time.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedEncoding(
            f"The body is encoded ({shown(encoding)} in Content-Encoding): send it as it is."
        )
    expected = request.content_length
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if expected is None and not chunked:
        return b""
    limit = largest_body(config)
    if expected is not None and expected > limit:
        raise _too_large(config)
    try:
        body: bytes = request.environ["wsgi.input"].read(limit + 1 if chunked else expected)
    except (OSError, ParseException) as error:
        raise InvalidRequest(f"The body cannot be read: {error}.") from None
    if expected is not None and len(body) < expected:
        raise InvalidRequest(f"The body ends after {len(body)} of {expected} bytes.")
    if len(body) <= config.max_body_bytes:
        return body
    if len(body) > limit or len(body) - _recording_bytes(request, body) > config.max_body_bytes:
        raise _too_large(config)
    return body


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse a JSON body, which must be an object.

    Raises:
        InvalidRequest: It is not strict JSON, not an object, or has more than MAX_FIELDS fields.
    """
    if not body.strip():
        raise InvalidRequest("The body is empty: send a JSON object.")
    try:
        document = strict_json.parse(body)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InvalidRequest(f"The body is not usable JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_json_type(document)}.")
    if len(document) > MAX_FIELDS:
        raise InvalidRequest(
            f"The body has {len(document)} fields; allowed are up to {MAX_FIELDS}."
        )
    return document


def parse_form(request: Request, body: bytes) -> Form:
    """Parse an urlencoded or multipart form; a body of another type is an empty form.

    Raises:
        InvalidRequest: The body is truncated, malformed, or has too many fields.
    """
    try:
        if request.mimetype == "application/x-www-form-urlencoded":
            return Form(parse_urlencoded(body), {})
        if request.mimetype == "multipart/form-data" and body:
            return parse_multipart(body, _boundary(request))
    except ValueError as error:
        raise InvalidRequest(f"The body is not a valid form: {error}.") from None
    return Form({}, {})


def parse_parameters(encoded: bytes) -> dict[str, str]:
    """Parse a query string, or a body in that format.

    Raises:
        InvalidRequest: There are too many.
    """
    try:
        return parse_urlencoded(encoded)
    except ValueError as error:
        raise InvalidRequest(f"The parameters cannot be read: {error}.") from None


def _boundary(request: Request) -> bytes:
    return request.mimetype_params.get("boundary", "").encode("latin-1", "replace")


def _recording_bytes(request: Request, body: bytes) -> int:
    """Return the size of the largest recording in a body, as encoded there."""
    if request.mimetype == "multipart/form-data":
        try:
            parts = list(split_multipart(body, _boundary(request)))
        except ValueError:  # reported by `parse_form`
            return 0
        return max((len(part.data) for part in parts if part.name in RECORDINGS), default=0)
    pattern = _IN_JSON if body[:100].lstrip().startswith(b"{") else _IN_FORM
    return max((found.end(1) - found.start(1) for found in pattern.finditer(body)), default=0)


def ignored_query(request: Request, *read: str) -> list[str]:
    """Return the names of query parameters that are ignored, since the body has all fields.

    Args:
        request: With such a body.
        read: The parameters that have an effect.
    """
    return [f"query.{name}" for name in request.args if name not in read]


def _too_large(config: Config) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body is larger than {config.max_body_bytes} bytes (QWEN_MAX_BODY_BYTES), or "
        f"{config.max_audio_bytes} more for a recording (QWEN_MAX_AUDIO_BYTES)."
    )


def _json_type(document: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return "null" if document is None else names.get(type(document), "a number")
