"""Read bodies whole and strictly: what is cut short, too large or malformed is a 4xx."""

from __future__ import annotations

import io
import json
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import FormDataParser

from qwen_tts_api.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from qwen_tts_api.routes.slow_clients import limit_reading

MAX_FORM_FIELDS = 100


def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request, sent with a length or chunked.

    Flask's own reading is passed by: it takes a body that ends early for a whole one, and cuts a
    chunked one at the limit without a word.

    Raises:
        BodyTooLarge: It has more than `max_bytes` bytes.
        InvalidRequest: It ends before its Content-Length, or its chunks are malformed.
        RequestTimeout: It did not come within `timeout_s` seconds.
    """
    expected = request.content_length
    chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if expected is None and not chunked:
        return b""
    if expected is not None and expected > max_bytes:
        raise _too_large(max_bytes)
    with limit_reading(request.environ, timeout_s) as overdue:
        try:
            body: bytes = request.environ["wsgi.input"].read(max_bytes + 1 if chunked else expected)
        except (OSError, ParseException) as error:
            if overdue() or isinstance(error, TimeoutError):
                raise _too_slow(timeout_s) from None
            raise InvalidRequest(f"The body cannot be read: {error}.") from None
        if overdue():
            raise _too_slow(timeout_s)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
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
    """Return the fields of an urlencoded or multipart body; empty for any other type.

    Raises:
        InvalidRequest: The multipart body is truncated or malformed.
    """
    if not body:
        return MultiDict()
    environ = {
        **request.environ,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(body)),
    }
    parser = FormDataParser(silent=False, max_form_parts=MAX_FORM_FIELDS)
    try:
        _, form, _ = parser.parse_from_environ(environ)
    except ValueError as error:
        raise InvalidRequest(f"The body is not a valid form: {error}.") from None
    return form


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {max_bytes} bytes (QWEN_MAX_BODY_BYTES).")


def _too_slow(timeout_s: float) -> RequestTimeout:
    return RequestTimeout(
        f"The body did not arrive within {timeout_s:g} s (QWEN_CLIENT_TIMEOUT_S)."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json_type(document: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return "null" if document is None else names.get(type(document), "a number")
