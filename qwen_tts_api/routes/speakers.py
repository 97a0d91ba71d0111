"""`/speakers` and `/languages`: what may be asked for."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from qwen_tts_api.service.languages import list_languages
from qwen_tts_api.service.speakers import display_name
from qwen_tts_api.service.speech import SpeechService

_PREVIEW_TEXT = "Hello, this is my voice."


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes that list speakers and languages of a model (`?model=`, or the default)."""
    routes = Blueprint("speakers", __name__)

    @routes.get("/speakers")
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
    def languages() -> Response:
        return jsonify(list_languages(service.card(request.args.get("model", ""))))

    return routes


def _preview_url(speaker: str, model: str) -> str:
    query = {"text": _PREVIEW_TEXT, "speaker_id": speaker, **({"model": model} if model else {})}
    return f"{request.url_root}api/tts?{urlencode(query)}"
