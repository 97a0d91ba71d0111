"""Render errors as OpenAI does: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, jsonify

from qwen_tts_api.routes.errors import ErrorBody, error_type

# OpenAI's status and code, where clients compare them; its SDKs have an exception class for 404.
_RENAMED = {
    "unknown_model": (404, "model_not_found"),
    "unauthorized": (401, "invalid_api_key"),
    "rate_limited": (429, "rate_limit_exceeded"),
}

# Worth retrying. OpenAI's SDKs retry 408, 409, 429 and every 5xx twice, unless `X-Should-Retry` is
# false: three times the work for the same error.
_RETRYABLE = (408, 429, 503)


BASE_URL_HINT = (
    "There is nothing at this path. The base URL of OpenAI's clients is this server's address with "
    "/v1 once, such as http://localhost:8888/v1; they add /audio/speech to it."
)
"""For clients whose base URL lacks /v1, has it twice, or is a whole endpoint."""

WRONG_PATH = re.compile(r"/audio/(speech|voices|models)(/|$)|^/v1/v1(/|$)")


def render_error(error: ErrorBody) -> Response:
    """Return the response for an error."""
    response = jsonify({"error": describe(error)})
    response.status_code = _RENAMED.get(error.code, (error.status,))[0]
    if error.status not in _RETRYABLE:
        response.headers["X-Should-Retry"] = "false"
    elif error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def describe(error: ErrorBody) -> dict[str, Any]:
    """Return the `error` object of a response or event."""
    status, code = _RENAMED.get(error.code, (error.status, error.code))
    return {
        "message": error.message,
        "type": error_type(status),
        "param": next(iter(error.fields or {}), None),
        "code": code,
    }
