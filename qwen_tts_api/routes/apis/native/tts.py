"""`/api/tts`: text in, audio out. Ours in JSON, and Coqui's in headers, query and form."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, jsonify, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.routes.apis.coqui import (
    COQUI_HEADERS,
    COQUI_NAMES,
    CoquiHeaders,
    CoquiParameters,
    read_parameters,
)
from qwen_tts_api.routes.bodies.body import ignored_query, parse_json, read_body
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.speech import ranges, response
from qwen_tts_api.routes.speech.schema import SpeechSchema, has_text, load_speech_request
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_METHODS = ("GET", "POST", "HEAD", "OPTIONS")

_AUDIO = response.speech_answer(
    "The audio. With `stream` it comes in chunks, and without the headers that depend on its end; "
    "where it cannot be finished, the connection is broken off. With `timestamps` it is in JSON.",
)

_GET = Operation(
    "Speak a text: Coqui-compatible",
    tag="speech",
    description="Each value is taken from the first of header and query that is not empty.",
    query=CoquiParameters,
    headers=CoquiHeaders,
    answers={200: _AUDIO, 206: ranges.PART},
    errors=(TTSError, *ranges.GET_ERRORS),
)

_POST = Operation(
    "Speak a text",
    tag="speech",
    method="POST",
    description="Empty and null mean the default. A form has Coqui's names; so may headers and "
    "query, as in the GET.",
    body={
        "application/json": {"allOf": [SpeechSchema, has_text("text")]},
        "application/x-www-form-urlencoded": CoquiParameters,
        "multipart/form-data": CoquiParameters,
    },
    example={"text": "Hello, I am here.", "language": "English"},
    answers={200: _AUDIO},
    errors=(TTSError,),
)

_HEAD = Operation(
    "Ask whether there is speech, without making any",
    tag="speech",
    method="HEAD",
    answers={200: Answer("There is, of this type.", headers=("Accept-Ranges",))},
)

_OPTIONS = Operation(
    "Ask for the methods",
    tag="speech",
    method="OPTIONS",
    answers={200: Answer("They are in `Allow`.", headers=("Allow",))},
)


def blueprint(config: Config, service: SpeechService, cache: ranges.ResponseCache) -> Blueprint:
    """Return the routes of Coqui's server, one of which is ours, too."""
    routes = Blueprint("tts", __name__)

    @routes.route("/api/tts", methods=_METHODS, provide_automatic_options=False)
    @_GET
    @_POST
    @_HEAD
    @_OPTIONS
    def synthesize() -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(_METHODS)})
        speech_request, ignored = _read_request(config)
        if config.unspeakable_text == "silence":
            speech_request = replace(speech_request, silence=True)
        names = COQUI_NAMES if speech_request.lenient else {}

        def respond(asked: SpeechRequest) -> Response:
            return response.synthesize(service, asked, request, ignored, names)

        if request.method == "POST":
            return respond(speech_request)
        return ranges.respond(cache, request, speech_request, respond)

    @routes.get("/details")
    @Operation(
        "Name the served models; Coqui's clients look whether it is there",
        tag="lists",
        answers={200: Answer("`model` is the default one.", {"type": "object"})},
    )
    def details() -> Response:
        """Coqui's clients look whether it is there."""
        return jsonify({"model": service.models.default, "models": list(service.models.names)})

    return routes


def _read_request(config: Config) -> tuple[SpeechRequest, list[str]]:
    """Return the request, and the names of parameters that have no meaning here."""
    body = read_body(request, config)
    if request.method == "POST" and request.is_json:
        headers = [header for header in COQUI_HEADERS.values() if request.headers.get(header)]
        return load_speech_request(parse_json(body)), [*ignored_query(request), *headers]
    asked, ignored = read_parameters(request, body if request.method == "POST" else b"")
    if not asked.whole_text and body.lstrip().startswith(b"{"):
        raise InvalidRequest("The body looks like JSON: send it as Content-Type: application/json.")
    return replace(asked, lenient=True), ignored
