"""The OpenAI-compatible API, under `/v1`; with vLLM-Omni's further fields for Qwen3-TTS.

There is no `/v1/readyz`, and never may be: wyoming_openai takes a server that has it for LocalAI,
and then asks for voices in a way that nobody here understands.
"""

from __future__ import annotations

from flask import Blueprint

from qwen_tts_api.config import Config
from qwen_tts_api.routes.openai import models, speech, voices
from qwen_tts_api.service.speech import SpeechService

PREFIX = "/v1"


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return every route under `/v1`."""
    routes = Blueprint("openai", __name__, url_prefix=PREFIX)
    speech.add_routes(routes, config, service)
    models.add_routes(routes, service)
    voices.add_routes(routes, config, service)
    return routes
