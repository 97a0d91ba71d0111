"""The one shape of every error.

``{"error": "<sentence>", "code": "<stable word>", "fields": {...}?, "request_id": "..."}``
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, g, jsonify
from werkzeug.exceptions import HTTPException

from qwen_tts_api.errors import TTSError, Unauthorized

logger = logging.getLogger(__name__)

# Sentences and codes for what the router refuses before a view is reached.
_HTTP_ERRORS = {
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not take this method; see the Allow header."),
}


def register(app: Flask) -> None:
    """Install the handlers; after this no error of the application is HTML."""
    app.register_error_handler(TTSError, _tts_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def envelope(
    status: int, code: str, message: str, fields: dict[str, list[str]] | None = None
) -> Response:
    """Return an error response in the one shape."""
    body: dict[str, Any] = {"error": message, "code": code}
    if fields:
        body["fields"] = fields
    body["request_id"] = g.request_id
    response = jsonify(body)
    response.status_code = status
    g.error_code = code
    return response


def _tts_error(error: TTSError) -> Response:
    response = envelope(error.status, error.code, error.message, error.fields)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code, message = _HTTP_ERRORS.get(status, (error.name.lower().replace(" ", "_"), error.name))
    response = envelope(status, code, message)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:  # a border: the last resort of a request
    logger.error("unexpected error in request %s", g.request_id, exc_info=error)
    return envelope(500, "internal_error", "The server failed on this request; see its log.")
