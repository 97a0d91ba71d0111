"""Render errors as ElevenLabs does: ``{"detail": {"status", "message"}}``."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify

from qwen_tts_api.routes.errors import ErrorBody

# ElevenLabs' words, which its clients compare.
_RENAMED = {
    "unauthorized": "invalid_api_key",
    "unknown_model": "model_not_found",
    "voice_not_found": "voice_not_found",
    "unknown_speaker": "voice_not_found",
    "rate_limited": "too_many_concurrent_requests",
    "queue_full": "system_busy",
}


def render_error(error: ErrorBody) -> Response:
    """Return the response for an error."""
    response = jsonify({"detail": describe(error)})
    response.status_code = error.status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def describe(error: ErrorBody) -> dict[str, Any]:
    """Return the `detail` object of a response."""
    detail = {
        "status": _RENAMED.get(error.code, error.code),
        "message": error.message,
        "request_id": g.request_id,
    }
    return {**detail, "fields": error.fields} if error.fields else detail
