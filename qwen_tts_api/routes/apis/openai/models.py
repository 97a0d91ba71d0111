"""`/v1/models` and `/v1/audio/models`: the served models."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, jsonify

from qwen_tts_api.errors import UnknownModel
from qwen_tts_api.names import listed, shown
from qwen_tts_api.routes.apis.openai.names import find_model
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.service.speech import SpeechService


def add_routes(routes: Blueprint, service: SpeechService) -> None:
    """Add the routes that list models."""
    started_at = int(time.time())  # checkpoints have no creation time

    def describe(model: str) -> dict[str, Any]:
        return {
            "id": model,
            "object": "model",
            "created": started_at,
            "owned_by": "qwen-tts-api",
        }

    @routes.get("/models")
    @Operation(
        "List the served models, as OpenAI's API does",
        tag="openai",
        answers={200: Answer("`data` has them, the default one first.", {"type": "object"})},
        error_schema="OpenAIError",
    )
    def models() -> Response:
        return jsonify(
            {"object": "list", "data": [describe(model) for model in service.models.names]}
        )

    @routes.get("/models/<path:model>")
    @Operation(
        "Describe one of the served models",
        tag="openai",
        answers={200: Answer("Its entry in the list.", {"type": "object"})},
        errors=((404, "model_not_found"),),
        error_schema="OpenAIError",
    )
    def model(model: str) -> Response:
        name = find_model(model, service.models.names) or service.models.default
        if name not in service.models.names:
            raise UnknownModel(
                f"Unknown model {shown(model)}; allowed are {listed(service.models.names)}.",
                fields={"model": ["Not served."]},
            )
        return jsonify(describe(name))

    @routes.get("/audio/models")
    @Operation(
        "List the ids of the served models, for Open WebUI",
        tag="openai",
        answers={200: Answer("`models` has objects with an `id`.", {"type": "object"})},
        error_schema="OpenAIError",
    )
    def audio_models() -> Response:
        return jsonify({"models": [{"id": model} for model in service.models.names]})
