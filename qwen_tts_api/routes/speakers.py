"""`/speakers` and `/languages`: what may be asked for, and voices that are added and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, fields

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes.audio_field import AudioField
from qwen_tts_api.routes.body import parse_form_and_files, parse_json, read_body
from qwen_tts_api.routes.connection import client_of
from qwen_tts_api.routes.schemas import MAX_SEED, integer, load, read_number
from qwen_tts_api.service.languages import list_languages
from qwen_tts_api.service.requests import SpeechRequest
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.voice import Voice

_PREVIEW_TEXT = "Hello, this is my voice."


class NewVoiceSchema(Schema):
    """JSON and form fields of a new voice: a recording of it, or a description."""

    name = fields.String(required=True)
    audio = AudioField(allow_none=True)
    ref_text = fields.String(allow_none=True)
    consent = fields.String(allow_none=True)
    instruct = fields.String(allow_none=True)
    text = fields.String(allow_none=True)
    language = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    seed = integer(0, MAX_SEED)


_OF_DESIGN = ("instruct", "text", "language", "model", "seed")


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the routes that list what a model speaks with, and that add and delete voices.

    The lists are the default model's, or that of `?model=`.
    """
    routes = Blueprint("speakers", __name__)

    @routes.get("/speakers")
    def speakers() -> Response:
        model = request.args.get("model", "")
        return jsonify([_describe(voice, model) for voice in service.voices(model)])

    @routes.post("/speakers")
    def add() -> Response:
        voice = _add(service, _read_new_voice(config))
        response = jsonify(_describe(voice, ""))
        response.status_code = 201
        response.headers["Location"] = f"/speakers/{voice.id}"
        return response

    @routes.delete("/speakers/<voice_id>")
    def delete(voice_id: str) -> Response:
        service.delete_voice(voice_id)
        response = Response(status=204)
        response.headers.remove("Content-Type")
        return response

    @routes.get("/languages")
    def languages() -> Response:
        return jsonify(list_languages(service.card(request.args.get("model", ""))))

    return routes


def _read_new_voice(config: Config) -> dict[str, Any]:
    body = read_body(
        request, config.max_body_bytes, config.client_timeout_s, config.max_audio_bytes
    )
    document: dict[str, Any]
    if request.is_json:
        document = parse_json(body)
    else:
        form, files = parse_form_and_files(request, body)
        document = form.to_dict() | files
        if "seed" in form:
            document["seed"] = read_number(form["seed"])
    loaded = load(NewVoiceSchema(), document)
    return {name: value for name, value in loaded.items() if value not in (None, "")}


def _add(service: SpeechService, given: Mapping[str, Any]) -> Voice:
    """Register a voice by its recording or, without one, by its description."""
    name, consent = given.get("name", ""), given.get("consent", "")
    of_design = {field: given[field] for field in _OF_DESIGN if field in given}
    if "audio" in given and not of_design:
        return service.add_voice(name, given["audio"], given.get("ref_text", ""), consent)
    if "audio" in given or "instruct" not in given or "ref_text" in given:
        raise InvalidRequest(
            "A new voice is either a recording ('audio', with what is said in it in 'ref_text') or "
            "a description ('instruct', with a 'text' to say, and with 'language', 'seed' and "
            f"'model'); given are: {', '.join(given) or 'none'}.",
            fields={"audio": ["Either this or 'instruct'."]},
        )
    wanted = SpeechRequest(**of_design)
    return service.design_voice(name, wanted, consent, client_of(request.environ))


def _describe(voice: Voice, model: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": voice.name,
        "voice_id": voice.id,
        "preview_url": _preview_url(voice.id, model),
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


def _preview_url(speaker: str, model: str) -> str:
    query = {"text": _PREVIEW_TEXT, "speaker_id": speaker, **({"model": model} if model else {})}
    return f"{request.url_root}api/tts?{urlencode(query)}"
