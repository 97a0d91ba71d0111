"""`/api/tts`: text in, audio out. Ours in JSON, and Coqui's in headers, query and form."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes import speech_response
from qwen_tts_api.routes.body import parse_json, read_body
from qwen_tts_api.routes.coqui import read_parameters
from qwen_tts_api.routes.schemas import load_speech_request
from qwen_tts_api.service.requests import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_METHODS = ("GET", "POST", "HEAD", "OPTIONS")


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the routes of Coqui's server, one of which is ours, too."""
    routes = Blueprint("tts", __name__)

    @routes.route("/api/tts", methods=_METHODS, provide_automatic_options=False)
    def synthesize() -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(_METHODS)})
        if request.method == "HEAD":
            return Response(mimetype="audio/wav")
        speech_request, ignored = _read_request(config)
        return speech_response.synthesize(service, speech_request, request, ignored)

    @routes.get("/details")
    def details() -> Response:
        """Coqui's clients look whether it is there."""
        return jsonify({"model": service.default_model, "models": list(service.models)})

    return routes


def _read_request(config: Config) -> tuple[SpeechRequest, list[str]]:
    """Return the request, and the names of parameters that have no meaning here."""
    body = read_body(
        request, config.max_body_bytes, config.client_timeout_s, config.max_audio_bytes
    )
    if request.method == "POST" and request.is_json:
        return load_speech_request(parse_json(body), ignore_unknown=False), []
    parameters, ignored = read_parameters(request, body if request.method == "POST" else b"")
    if "text" not in parameters and body.lstrip().startswith(b"{"):
        raise InvalidRequest("The body looks like JSON: send it as Content-Type: application/json.")
    return load_speech_request(parameters, ignore_unknown=True), ignored
