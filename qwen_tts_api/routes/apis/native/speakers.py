"""`/speakers` and `/languages`: list voices and languages; register, design and delete voices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, request
from marshmallow import Schema, fields, validate

from qwen_tts_api.config import Config
from qwen_tts_api.errors import (
    InvalidRequest,
    ModelUnavailable,
    RegistryReadOnly,
    RegistryUnavailable,
    TTSError,
    UnknownModel,
    VoiceNotFound,
)
from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.bodies.body import parse_form, parse_json, read_body
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import BINARY, NOT_FOUND, Answer, Operation
from qwen_tts_api.routes.security.origins import AllowedHosts
from qwen_tts_api.routes.speech.field_types import read_numbers, seed, string
from qwen_tts_api.routes.speech.schema import load
from qwen_tts_api.service.models import list_languages
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.voices.voice import Voice

_PREVIEW_TEXT = "Hello, this is my voice."


class ModelQuery(Schema):
    """The model whose speakers or languages are listed."""

    model = fields.String(
        metadata={"description": "One of the served models; the default one if absent or empty."}
    )


class SpeakerSchema(Schema):
    """A voice, in the format of SillyTavern's XTTS client."""

    name = fields.String(required=True, metadata={"description": "Display name."})
    voice_id = fields.String(required=True, metadata={"description": "A value of `speaker`."})
    preview_url = fields.String(required=True, metadata={"description": "URL of a sample."})
    dialect = fields.String(
        required=True, allow_none=True, metadata={"description": "Such as `beijing_dialect`."}
    )
    kind = fields.String(
        required=True,
        validate=validate.OneOf(["speaker", "registered"]),
        metadata={
            "description": "The model's speaker, or a registered voice, with the fields below."
        },
    )
    created_at = fields.Integer(metadata={"description": "Unix time in seconds."})
    source = fields.String(
        validate=validate.OneOf(["upload", "design"]),
        metadata={"description": "`design`: a VoiceDesign model made the recording."},
    )
    duration_s = fields.Float(metadata={"description": "Duration of the recording in seconds."})
    ref_text = fields.String(metadata={"description": "Transcript of the recording."})


class LanguageSchema(Schema):
    """A language."""

    name = fields.String(required=True, metadata={"description": "A value of `language`."})
    code = fields.String(
        required=True, metadata={"description": "ISO 639-1, also a value of `language`; or ''."}
    )


class NewVoiceSchema(Schema):
    """JSON and form fields of a new voice: a recording of it, or a description."""

    name = fields.String(
        required=True, metadata={"description": "Display name; the id is derived from it."}
    )
    audio = AudioField(
        allow_none=True,
        metadata={"description": "A recording of 1 to 30 s: a file, base64 or a data URL."},
    )
    ref_text = string("Transcript of the recording.")
    consent = string("Note on the speaker's consent; stored unchanged.")
    instruct = string("In place of a recording: a description of the voice.")
    text = string("The text of the designed voice's recording.")
    language = string("The language of `text`.")
    model = string("The VoiceDesign model that makes the recording.")
    seed = seed("The seed of that recording.")


_DESIGN_FIELDS = ("instruct", "text", "language", "model", "seed")

_LIST = Operation(
    "List what `speaker` may name",
    tag="lists",
    query=ModelQuery,
    answers={200: Answer("A model's own speakers, then added voices.", SpeakerSchema(many=True))},
    errors=(UnknownModel, ModelUnavailable, RegistryUnavailable),
)

_ADD = Operation(
    "Add a voice",
    tag="lists",
    method="POST",
    description="By a recording (`audio`, with `ref_text`) or, where a VoiceDesign model is "
    "served, by a description (`instruct`, with a `text`). A Base model speaks with it.",
    body={
        "multipart/form-data": {"allOf": [NewVoiceSchema, {"properties": {"audio": BINARY}}]},
        "application/json": NewVoiceSchema,
    },
    answers={201: Answer("The new entry of the list.", SpeakerSchema, headers=("Location",))},
    errors=(TTSError,),
)

_DELETE = Operation(
    "Delete an added voice",
    tag="lists",
    method="DELETE",
    answers={204: Answer("It is gone.")},
    errors=(RegistryReadOnly, VoiceNotFound, RegistryUnavailable, NOT_FOUND),
)


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the routes that list speakers and languages, and register and delete voices.

    The lists are those of `?model=`, or of the default model.
    """
    routes = Blueprint("speakers", __name__)
    hosts = AllowedHosts(config.allowed_hosts)

    @routes.get("/speakers")
    @_LIST
    def speakers() -> Response:
        model = request.args.get("model", "")
        root = _root(hosts)
        return jsonify([_describe(voice, model, root) for voice in service.voices.list(model)])

    @routes.post("/speakers")
    @_ADD
    def add() -> Response:
        voice = _add(service, _read_new_voice(config))
        response = jsonify(_describe(voice, "", _root(hosts)))
        response.status_code = 201
        response.headers["Location"] = f"/speakers/{voice.id}"
        return response

    @routes.delete("/speakers/<voice_id>")
    @_DELETE
    def delete(voice_id: str) -> Response:
        service.voices.delete(voice_id)
        response = Response(status=204)
        response.headers.remove("Content-Type")
        return response

    @routes.get("/languages")
    @Operation(
        "List the languages of a model",
        tag="lists",
        query=ModelQuery,
        answers={200: Answer("`Auto` is first.", LanguageSchema(many=True))},
        errors=(UnknownModel, ModelUnavailable),
    )
    def languages() -> Response:
        return jsonify(list_languages(service.models.card(request.args.get("model", ""))))

    return routes


def _read_new_voice(config: Config) -> dict[str, Any]:
    body = read_body(request, config)
    document: dict[str, Any]
    if request.is_json:
        document = parse_json(body)
    else:
        form = parse_form(request, body)
        document = read_numbers(NewVoiceSchema(), form.fields) | form.files
    loaded = load(NewVoiceSchema(), document)
    return {name: value for name, value in loaded.items() if value not in (None, "")}


def _add(service: SpeechService, given: Mapping[str, Any]) -> Voice:
    """Register a voice from a recording, or design one from a description."""
    name, consent = given.get("name", ""), given.get("consent", "")
    design_fields = {field: given[field] for field in _DESIGN_FIELDS if field in given}
    if "audio" in given and not design_fields:
        return service.voices.add(name, given["audio"], given.get("ref_text", ""), consent)
    if "audio" in given or "instruct" not in given or "ref_text" in given:
        raise InvalidRequest(
            "A new voice is either a recording ('audio', with what is said in it in 'ref_text') or "
            "a description ('instruct', with a 'text' to say, and with 'language', 'seed' and "
            f"'model'); given are: {', '.join(given) or 'none'}.",
            fields={"audio": ["Either this or 'instruct'."]},
        )
    wanted = SpeechRequest(**design_fields)
    g.record.text = wanted.text
    return service.design_voice(name, wanted, consent, client_connection(request.environ))


def _describe(voice: Voice, model: str, root: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": voice.name,
        "voice_id": voice.id,
        "preview_url": _preview_url(voice.id, model, root),
        "dialect": voice.dialect or None,
        "kind": voice.kind,
    }
    if voice.kind == "registered":
        described |= {
            "created_at": voice.created_at,
            "source": voice.source,
            "duration_s": voice.duration_s,
            "ref_text": voice.ref_text,
        }
    return described


def _preview_url(speaker: str, model: str, root: str) -> str:
    query = {"text": _PREVIEW_TEXT, "speaker_id": speaker, **({"model": model} if model else {})}
    return f"{root}api/tts?{urlencode(query)}"


def _root(hosts: AllowedHosts) -> str:
    """Return the base URL of links; relative if `Host` may be forged by DNS rebinding."""
    return request.url_root if hosts.is_own(request.host) else "/"
