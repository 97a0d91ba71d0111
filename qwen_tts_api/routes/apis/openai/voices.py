"""`/v1/audio/voices`: list, register, design and delete voices."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from marshmallow import Schema, fields

from qwen_tts_api.config import Config
from qwen_tts_api.errors import (
    InvalidRequest,
    ModelUnavailable,
    RegistryReadOnly,
    RegistryUnavailable,
    TTSError,
    VoiceNotFound,
)
from qwen_tts_api.routes.apis.openai.document import read_document, text
from qwen_tts_api.routes.apis.openai.names import VOICE_FIELDS, find_model
from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.speech.field_types import choice
from qwen_tts_api.routes.speech.response import report_ignored
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.voices.voice import Voice

DEFAULT_SCRIPT = (
    "Good evening, and thank you for coming. Before we begin, let me tell you a little about the "
    "journey that brought us here, and about the people we met on the way."
)
"""The text of a designed voice's recording if there is no `script_hint`: ten seconds with most
phonemes of English."""

# OpenAI's voice design models; each means the VoiceDesign model that is served.
_DESIGN_MODELS = ("auto", "2026-10-08")


class ModelQuery(Schema):
    """The model whose voices are listed."""

    model = fields.String(metadata={"description": "One of the served models."})


class OpenAIVoiceSchema(Schema):
    """A new voice: a recording with its transcript, or a description."""

    name = fields.String(
        required=True, metadata={"description": "Display name; the id is derived from it."}
    )
    type = choice("Whether it is a recording or a description.", "audio_sample", "prompt")
    audio_sample = AudioField(
        allow_none=True,
        metadata={"description": "The recording: a file of the form, or base64.", "type": "string"},
    )
    consent = text("Note on the speaker's consent; stored unchanged.")
    ref_text = text("Transcript of the recording.")
    prompt = text("Description of the voice (`type: prompt`).")
    script_hint = text("The text of the designed voice's recording.")
    model = text("The VoiceDesign model; `auto`: the one that is served.")


_RECORDING_FIELDS = ("audio_sample", "ref_text")
_DESIGN_FIELDS = ("prompt", "script_hint", "model")


_SCHEMA = OpenAIVoiceSchema()


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the routes that manage voices."""

    @routes.get("/audio/voices")
    @Operation(
        "List what `voice` may name",
        tag="openai",
        query=ModelQuery,
        answers={200: Answer("`voices` has objects with `id` and `name`.", {"type": "object"})},
        errors=((404, "model_not_found"), ModelUnavailable, RegistryUnavailable),
        error_schema="OpenAIError",
    )
    def voices() -> Response:
        model = find_model(request.args.get("model", ""), service.models.names)
        listed = [{"id": voice.id, "name": voice.name} for voice in service.voices.list(model)]
        return jsonify({"voices": listed})

    @routes.post("/audio/voices")
    @Operation(
        "Register a voice by a recording or a description",
        tag="openai",
        method="POST",
        body={"multipart/form-data": OpenAIVoiceSchema, "application/json": OpenAIVoiceSchema},
        answers={200: Answer("The voice.", {"type": "object"})},
        errors=(TTSError,),
        error_schema="OpenAIError",
    )
    def add() -> Response:
        document, ignored = read_document(_SCHEMA, request, config)
        given = {name: value for name, value in document.items() if value not in (None, "")}
        g.field_names = VOICE_FIELDS
        response = jsonify(_describe(_add(service, given)))
        report_ignored(response, ignored)
        return response

    @routes.delete("/audio/voices/<voice_id>")
    @Operation(
        "Delete a registered voice",
        tag="openai",
        method="DELETE",
        answers={200: Answer("It is gone.", {"type": "object"})},
        errors=(VoiceNotFound, RegistryReadOnly, RegistryUnavailable),
        error_schema="OpenAIError",
    )
    def delete(voice_id: str) -> Response:
        service.voices.delete(voice_id)
        return jsonify({"id": voice_id, "object": "audio.voice.deleted", "deleted": True})


def _add(service: SpeechService, given: dict[str, Any]) -> Voice:
    kind = given.get("type", "audio_sample")
    needed, foreign = (
        ("prompt", _RECORDING_FIELDS) if kind == "prompt" else ("audio_sample", _DESIGN_FIELDS)
    )
    for name in foreign:
        if name in given:
            raise InvalidRequest(
                f"{name!r} does not go with the type {kind!r}.", fields={name: ["Leave it out."]}
            )
    if needed not in given:
        raise InvalidRequest(
            f"{needed!r} is required for the type {kind!r}.", fields={needed: ["Missing or empty."]}
        )
    name, consent = given.get("name", ""), given.get("consent", "")
    if kind == "audio_sample":
        return service.voices.add(name, given["audio_sample"], given.get("ref_text", ""), consent)
    model = given.get("model", "")
    wanted = SpeechRequest(
        text=given.get("script_hint", DEFAULT_SCRIPT),
        instruct=given["prompt"],
        model="" if model in _DESIGN_MODELS else model,
    )
    g.record.text = wanted.text
    return service.design_voice(name, wanted, consent, client_connection(request.environ))


def _describe(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.id,
        "object": "audio.voice",
        "name": voice.name,
        "created_at": voice.created_at,
        "type": "prompt" if voice.source == "design" else "audio_sample",
    }
