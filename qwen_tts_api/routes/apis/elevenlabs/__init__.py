"""The ElevenLabs-compatible API, under `/v1`, as its SDK and voice assistants' frameworks send it.

`/v1/models` is not ElevenLabs' list: at that path OpenAI's API has its own.
"""

from __future__ import annotations

from flask import Blueprint

from qwen_tts_api.config import Config
from qwen_tts_api.routes.apis.elevenlabs import dialogue, sockets, speech, timestamps, voices
from qwen_tts_api.routes.live.upgrade import SocketRoutes
from qwen_tts_api.service.speech import SpeechService

PATHS = ("/v1/text-to-speech", "/v1/text-to-dialogue", "/v1/voices", "/v2/voices")


def blueprint(config: Config, service: SpeechService, open_sockets: SocketRoutes) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("elevenlabs", __name__)
    speech.add_routes(routes, config, service)
    timestamps.add_routes(routes, config, service)
    dialogue.add_routes(routes, config, service)
    sockets.add_routes(routes, config, service, open_sockets)
    voices.add_routes(routes, service)
    return routes
