"""The one place where errors become responses; each dialect gives them its own shape.

Ours, which Coqui's clients read, too::

    {"error": "<sentence>", "code": "<stable word>", "fields": {...}?, "request_id": "..."}
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from qwen_tts_api.errors import TTSError

logger = logging.getLogger(__name__)

# Sentences and codes for what the router refuses before a view is reached.
_HTTP_ERRORS = {
    404: ("not_found", "There is nothing at this path."),
    416: ("range_not_satisfiable", "The audio ends before this Range; Content-Range has its size."),
    405: ("method_not_allowed", "This path does not take this method; see the Allow header."),
}


@dataclass(frozen=True)
class Refusal:
    """An error in no dialect yet.

    Attributes:
        status: Its HTTP status.
        code: Its stable word.
        message: One sentence for the client.
        fields: Messages by name of our field, where fields are to blame.
        retry_after_s: Seconds after which the same request may succeed.
    """

    status: int
    code: str
    message: str
    fields: dict[str, list[str]] | None = None
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: TTSError) -> Refusal:
        """Return what an error of the application says."""
        return cls(error.status, error.code, error.message, error.fields, error.retry_after_s)


Shape = Callable[[Refusal], Response]


@dataclass(frozen=True)
class Astray:
    """Paths that are a dialect's, but for what stands before them: its clients' base URL is wrong.

    Attributes:
        path: What they look like.
        shape: Of the 404 that they get.
        hint: What it says.
    """

    path: re.Pattern[str]
    shape: Shape
    hint: str


def register(app: Flask, shapes: Mapping[str, Shape], astray: Sequence[Astray] = ()) -> None:
    """Install the handlers; after this no error of the application is HTML.

    Args:
        app: The application.
        shapes: The shape of every error at and under a path, 404 and 405 included; ours elsewhere.
        astray: Which paths that do not exist are answered in another shape, with a hint.
    """
    special = tuple(shapes.items())

    def respond(refusal: Refusal) -> Response:
        shape = next((shape for path, shape in special if _is_under(request.path, path)), _ours)
        lost = [kind for kind in astray if kind.path.search(request.path)]
        if refusal.code == "not_found" and lost:
            shape, refusal = lost[0].shape, replace(refusal, message=lost[0].hint)
        response = shape(refusal)
        if refusal.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        elif refusal.status == 415:
            response.headers["Accept-Encoding"] = "identity"
        g.record.code = refusal.code
        return response

    def tts_error(error: TTSError) -> Response:
        return respond(Refusal.of(error))

    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        code, message = _HTTP_ERRORS.get(status, (error.name.lower().replace(" ", "_"), error.name))
        response = respond(Refusal(status, code, message))
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response

    def unexpected(error: Exception) -> Response:  # a border: the last resort of a request
        logger.error("unexpected error", exc_info=error)
        message = "The server failed on this request; see its log."
        return respond(Refusal(500, "internal_error", message))

    app.register_error_handler(TTSError, tts_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _ours(refusal: Refusal) -> Response:
    body: dict[str, Any] = {"error": refusal.message, "code": refusal.code}
    if refusal.fields:
        body["fields"] = refusal.fields
    body["request_id"] = g.request_id
    response = jsonify(body)
    response.status_code = refusal.status
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    return response
