"""`/models`: the served models and their capabilities."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from marshmallow import Schema, fields, validate

from qwen_tts_api.checkpoints.card import KINDS, ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.service.models import MODEL_STATES, default_speaker, display_name
from qwen_tts_api.service.speech import SpeechService


class ModelSchema(Schema):
    """A served model; `kind` and the fields below are null if its checkpoint cannot be read."""

    name = fields.String(required=True, metadata={"description": "A value of `model`."})
    default = fields.Boolean(
        required=True, metadata={"description": "Whether requests without `model` use it."}
    )
    state = fields.String(
        required=True,
        validate=validate.OneOf(MODEL_STATES),
        metadata={
            "description": "`not loaded` and `idle` (it was unloaded since nobody used it): the "
            "next request for it loads it."
        },
    )
    kind = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*KINDS, None]),
        metadata={"description": "`custom_voice` has speakers, `base` clones voices."},
    )
    size = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`0b6` or `1b7`, as in config.json."},
    )
    default_speaker = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The speaker of requests without `speaker`."},
    )
    takes_instruct = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "Whether `instruct` has an effect."},
    )


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the route that lists the served models."""
    routes = Blueprint("models", __name__)

    @routes.get("/models")
    @Operation(
        "List the served models",
        tag="lists",
        answers={200: Answer("The default model is first.", ModelSchema(many=True))},
    )
    def models() -> Response:
        return jsonify(
            [
                {
                    "name": model.name,
                    "default": model.name == service.models.default,
                    "state": model.state,
                    **_abilities(config, model.card),
                }
                for model in service.models.list()
            ]
        )

    return routes


def _abilities(config: Config, card: ModelCard | None) -> dict[str, Any]:
    if card is None:
        return dict.fromkeys(("kind", "size", "default_speaker", "takes_instruct"))
    speaker = None
    if card.speakers:
        speaker = default_speaker(config.default_speaker, card, config.speakers_by_alias)
    return {
        "kind": card.kind,
        "size": card.size,
        "default_speaker": speaker and display_name(speaker),
        "takes_instruct": card.takes_instruct,
    }
