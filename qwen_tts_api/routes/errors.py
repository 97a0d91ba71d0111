"""The one place where errors become responses; each API renders their bodies its own way.

A route of an API that calls our fields otherwise sets `g.field_names`, its names by ours.

The native API's body, which Coqui's clients read, too::

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
from werkzeug.routing.exceptions import WebsocketMismatch

from qwen_tts_api.errors import OWN_NAMES, InvalidRequest, TTSError

logger = logging.getLogger(__name__)

# Sentences and codes for what the router refuses before a view is reached.
_HTTP_ERRORS = {
    404: ("not_found", "There is nothing at this path; /docs tells what there is."),
    412: (
        "precondition_failed",
        "The audio is not the one that If-Match names: ask for all of it.",
    ),
    416: ("range_not_satisfiable", "The audio ends before this Range; Content-Range has its size."),
    405: ("method_not_allowed", "This path does not take this method; see the Allow header."),
}


@dataclass(frozen=True)
class ErrorBody:
    """The content of an error response, before an API renders it.

    Attributes:
        status: Its HTTP status.
        code: Its stable word.
        message: One sentence for the client.
        fields: Messages by name of the field, where fields are to blame.
        retry_after_s: Seconds after which the same request may succeed.
    """

    status: int
    code: str
    message: str
    fields: dict[str, list[str]] | None = None
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: TTSError, names: Mapping[str, str] = OWN_NAMES) -> ErrorBody:
        """Return what an error of the application says, with an API's names of our fields."""
        return cls(
            error.status,
            error.code,
            error.message_in(names),
            error.fields_in(names),
            error.retry_after_s,
        )


ErrorRenderer = Callable[[ErrorBody], Response]


@dataclass(frozen=True)
class WrongBaseUrl:
    """Paths of an API with a wrong prefix: the base URL that its client was given is wrong.

    Attributes:
        path: What they look like.
        renderer: Renders the 404 that they get.
        hint: What it says.
    """

    path: re.Pattern[str]
    renderer: ErrorRenderer
    hint: str


def register(
    app: Flask,
    renderers: Mapping[str, ErrorRenderer],
    wrong_base_urls: Sequence[WrongBaseUrl] = (),
) -> None:
    """Install the handlers; after this no error of the application is HTML.

    Args:
        app: The application.
        renderers: What renders every error at and under a path, 404 and 405 included; the native
            renderer elsewhere.
        wrong_base_urls: Which paths that do not exist are answered by another renderer, with a
            hint.
    """
    by_path = tuple(renderers.items())

    def respond(error: ErrorBody) -> Response:
        render = next(
            (renderer for path, renderer in by_path if _is_under(request.path, path)), _render
        )
        wrong = [kind for kind in wrong_base_urls if kind.path.search(request.path)]
        if error.code == "not_found" and wrong:
            render, error = wrong[0].renderer, replace(error, message=wrong[0].hint)
        response = render(error)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        elif error.status == 415:
            response.headers["Accept-Encoding"] = "identity"
        elif error.status == 426:
            response.headers["Upgrade"] = "websocket"
            response.headers["Sec-WebSocket-Version"] = "13"
        g.record.code = error.code
        return response

    def tts_error(error: TTSError) -> Response:
        return respond(ErrorBody.of(error, g.get("field_names", OWN_NAMES)))

    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        code, message = _HTTP_ERRORS.get(status, (error.name.lower().replace(" ", "_"), error.name))
        response = respond(ErrorBody(status, code, message))
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response

    def no_socket(error: WebsocketMismatch) -> Response:
        return tts_error(InvalidRequest("This path is not a WebSocket: leave 'Upgrade' out."))

    def unexpected(error: Exception) -> Response:  # a boundary: the last resort of a request
        logger.error("unexpected error", exc_info=error)
        message = "The server failed on this request; see its log."
        return respond(ErrorBody(500, "internal_error", message))

    app.register_error_handler(TTSError, tts_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(WebsocketMismatch, no_socket)
    app.register_error_handler(Exception, unexpected)


def error_type(status: int) -> str:
    """Return OpenAI's word for the kind of an error, which live APIs have, too."""
    if status >= 500:
        return "server_error"
    return "rate_limit_error" if status == 429 else "invalid_request_error"


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _render(error: ErrorBody) -> Response:
    body: dict[str, Any] = {"error": error.message, "code": error.code}
    if error.fields:
        body["fields"] = error.fields
    body["request_id"] = g.request_id
    response = jsonify(body)
    response.status_code = error.status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
