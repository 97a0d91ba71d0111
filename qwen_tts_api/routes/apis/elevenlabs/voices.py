"""`GET /v1/voices`, `/v1/voices/{voice_id}` and `/v2/voices`: the voices, as ElevenLabs lists them.

All of them are on the first page: `page_size` and search words are ignored.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify

from qwen_tts_api.errors import ModelUnavailable, RegistryUnavailable, VoiceNotFound
from qwen_tts_api.names import fold, shown
from qwen_tts_api.routes.apis.elevenlabs.names import FIELDS
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.voices.voice import Voice

_ERRORS = (ModelUnavailable, RegistryUnavailable)


def _operation(summary: str, answer: str, *errors: Any) -> Operation:
    return Operation(
        summary,
        tag="elevenlabs",
        answers={200: Answer(answer, {"type": "object"})},
        errors=(*_ERRORS, *errors),
        error_schema="ElevenLabsError",
    )


def add_routes(routes: Blueprint, service: SpeechService) -> None:
    """Add the routes that list voices."""

    @routes.get("/v1/voices")
    @_operation("List the voices: ElevenLabs-compatible", "`voices` has objects with `voice_id`.")
    def voices() -> Response:
        return jsonify({"voices": [_describe(voice) for voice in service.voices.list()]})

    @routes.get("/v2/voices")
    @_operation(
        "List the voices, on one page: ElevenLabs-compatible",
        "`voices` as in `/v1/voices`; `has_more` is false.",
    )
    def search() -> Response:
        listed = [_describe(voice) for voice in service.voices.list()]
        page = {"voices": listed, "has_more": False, "total_count": len(listed)}
        return jsonify({**page, "next_page_token": None})

    @routes.get("/v1/voices/<voice_id>")
    @_operation("Describe a voice: ElevenLabs-compatible", "The voice.", VoiceNotFound)
    def voice(voice_id: str) -> Response:
        g.field_names = FIELDS
        wanted = fold(voice_id)
        for each in service.voices.list():
            if wanted in (fold(each.id), fold(each.name)):
                return jsonify(_describe(each))
        raise VoiceNotFound(f"There is no voice {shown(voice_id)}; GET /v1/voices lists them.")


def _describe(voice: Voice) -> dict[str, Any]:
    """Return ElevenLabs' object of a voice: those of its fields that mean something here."""
    return {
        "voice_id": voice.id,
        "name": voice.name,
        "category": "cloned" if voice.kind == "registered" else "premade",
        "labels": {"dialect": voice.dialect} if voice.dialect else {},
        "preview_url": None,
        "available_for_tiers": [],
        "settings": None,
    }
