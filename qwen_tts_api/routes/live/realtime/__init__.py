"""Qwen-TTS-Realtime, DashScope's protocol: `/api-ws/v1/realtime`."""

from __future__ import annotations

from flask import Blueprint, Request, Response, g, jsonify

from qwen_tts_api.config import Config
from qwen_tts_api.routes.errors import ErrorBody
from qwen_tts_api.routes.live.realtime.session import RealtimeSession
from qwen_tts_api.routes.live.upgrade import Session, SocketRoutes, describe_socket
from qwen_tts_api.service.speech import SpeechService

PREFIX = "/api-ws/v1"


def blueprint(config: Config, service: SpeechService, sockets: SocketRoutes) -> Blueprint:
    """Return the route of the socket."""
    routes = Blueprint("realtime", __name__, url_prefix=PREFIX)

    def begin(request: Request) -> Session:
        model = request.args.get("model", "")
        count = g.get("count_request", lambda: None)
        return lambda socket: RealtimeSession(socket, service, config, model, count).run()

    sockets.add(
        routes,
        "/realtime",
        begin,
        describe_socket(
            "Speak a text while it arrives: Qwen-TTS-Realtime",
            tag="speech",
            page="docs/api/live.md",
            error_schema="DashScopeError",
        ),
    )
    return routes


def render_error(error: ErrorBody) -> Response:
    """Render an error as DashScope does."""
    response = jsonify(code=error.code, message=error.message, request_id=g.request_id)
    response.status_code = error.status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
