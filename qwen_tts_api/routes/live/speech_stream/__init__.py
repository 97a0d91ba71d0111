"""`/v1/audio/speech/stream`: the protocol of vLLM-Omni, and SGLang-Omni's variant of it."""

from __future__ import annotations

from flask import Blueprint, Request, g

from qwen_tts_api.config import Config
from qwen_tts_api.routes.apis.openai import PREFIX
from qwen_tts_api.routes.live.speech_stream.session import SpeechStreamSession
from qwen_tts_api.routes.live.upgrade import Session, SocketRoutes, describe_socket
from qwen_tts_api.service.speech import SpeechService


def blueprint(config: Config, service: SpeechService, sockets: SocketRoutes) -> Blueprint:
    """Return the route of the socket."""
    routes = Blueprint("speech_stream", __name__, url_prefix=PREFIX)

    def begin(request: Request) -> Session:
        count = g.get("count_request", lambda: None)
        return lambda socket: SpeechStreamSession(socket, service, config, count).run()

    sockets.add(
        routes,
        "/audio/speech/stream",
        begin,
        describe_socket(
            "Speak a text while it arrives: vLLM-Omni's protocol",
            tag="openai",
            page="docs/api/live.md",
            error_schema="OpenAIError",
        ),
    )
    return routes
