"""The OpenAI-compatible API, under `/v1`, with vLLM-Omni's additional fields for Qwen3-TTS.

`/v1/readyz` must not exist: wyoming_openai takes a server that has it for LocalAI, and lists voices
by an API that is not implemented here.
"""

from __future__ import annotations

from flask import Blueprint

from qwen_tts_api.config import Config
from qwen_tts_api.routes.apis.openai import batch, models, speech, voices
from qwen_tts_api.service.speech import SpeechService

PREFIX = "/v1"


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the routes under `/v1`."""
    routes = Blueprint("openai", __name__, url_prefix=PREFIX)
    speech.add_routes(routes, config, service)
    batch.add_routes(routes, config, service)
    models.add_routes(routes, service)
    voices.add_routes(routes, config, service)
    return routes
