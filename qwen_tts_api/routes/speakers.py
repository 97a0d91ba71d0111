"""`/speakers` and `/languages`: what may be asked for."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, fields

from qwen_tts_api.errors import ModelUnavailable, UnknownModel
from qwen_tts_api.routes.operations import Answer, operation
from qwen_tts_api.service.languages import list_languages
from qwen_tts_api.service.speakers import display_name
from qwen_tts_api.service.speech import SpeechService

_PREVIEW_TEXT = "Hello, this is my voice."


class ModelQuery(Schema):
    """Which model is meant."""

    model = fields.String(
        metadata={"description": "One of the served models; the default one if absent or empty."}
    )


class SpeakerSchema(Schema):
    """A speaker, in the shape that SillyTavern's XTTS client reads."""

    name = fields.String(required=True, metadata={"description": "What `speaker` may be."})
    voice_id = fields.String(required=True, metadata={"description": "The name again."})
    preview_url = fields.String(required=True, metadata={"description": "Where to hear it."})
    dialect = fields.String(
        required=True, allow_none=True, metadata={"description": "Such as `beijing_dialect`."}
    )


class LanguageSchema(Schema):
    """A language."""

    name = fields.String(required=True, metadata={"description": "What `language` may be."})
    code = fields.String(
        required=True, metadata={"description": "ISO 639-1, which `language` may be, too; or ''."}
    )


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes that list speakers and languages of a model (`?model=`, or the default)."""
    routes = Blueprint("speakers", __name__)

    @routes.get("/speakers")
    @operation(
        "List the speakers of a model",
        tag="lists",
        query=ModelQuery,
        answers={200: Answer("Empty where the model has none.", SpeakerSchema(many=True))},
        errors=(UnknownModel, ModelUnavailable),
    )
    def speakers() -> Response:
        model = request.args.get("model", "")
        card = service.card(model)
        return jsonify(
            [
                {
                    "name": display_name(speaker),
                    "voice_id": display_name(speaker),
                    "preview_url": _preview_url(display_name(speaker), model),
                    "dialect": card.dialects.get(speaker),
                }
                for speaker in card.speakers
            ]
        )

    @routes.get("/languages")
    @operation(
        "List the languages of a model",
        tag="lists",
        query=ModelQuery,
        answers={200: Answer("`Auto` is first.", LanguageSchema(many=True))},
        errors=(UnknownModel, ModelUnavailable),
    )
    def languages() -> Response:
        return jsonify(list_languages(service.card(request.args.get("model", ""))))

    return routes


def _preview_url(speaker: str, model: str) -> str:
    query = {"text": _PREVIEW_TEXT, "speaker_id": speaker, **({"model": model} if model else {})}
    return f"{request.url_root}api/tts?{urlencode(query)}"
