"""HTTP: the only part that knows Flask and marshmallow."""

from __future__ import annotations

from flask import Flask

from qwen_tts_api.config import Config
from qwen_tts_api.routes import errors, health, request_log, speakers, tts
from qwen_tts_api.service.speech import SpeechService

EXTENSION = "qwen_tts_api"
"""Where the application keeps its `SpeechService`: `app.extensions[EXTENSION]`."""


def register(app: Flask, config: Config, service: SpeechService) -> None:
    """Add every route, the error handlers and the request log to an application."""
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = service
    request_log.register(app)
    errors.register(app)
    app.register_blueprint(tts.blueprint(config, service))
    app.register_blueprint(health.blueprint(service))
    app.register_blueprint(speakers.blueprint(config, service))
