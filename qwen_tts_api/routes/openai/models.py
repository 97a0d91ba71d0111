"""`/v1/models` and `/v1/audio/models`: the served models."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, jsonify

from qwen_tts_api.errors import UnknownModel
from qwen_tts_api.routes.openai.names import find_model
from qwen_tts_api.service.speech import SpeechService


def add_routes(routes: Blueprint, service: SpeechService) -> None:
    """Add the routes of models."""
    started_at = int(time.time())  # a checkpoint does not tell when it was made

    def describe(model: str) -> dict[str, Any]:
        return {
            "id": model,
            "object": "model",
            "created": started_at,
            "owned_by": "qwen-tts-api",
        }

    @routes.get("/models")
    def models() -> Response:
        return jsonify({"object": "list", "data": [describe(model) for model in service.models]})

    @routes.get("/models/<path:model>")
    def model(model: str) -> Response:
        name = find_model(model, service.models) or service.default_model
        if name not in service.models:
            raise UnknownModel(
                f"Unknown model {model!r}; allowed are {', '.join(service.models)}.",
                fields={"model": ["Not served."]},
            )
        return jsonify(describe(name))

    @routes.get("/audio/models")
    def audio_models() -> Response:
        return jsonify({"models": [{"id": model} for model in service.models]})
