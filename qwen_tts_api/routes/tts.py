"""`/api/tts`: text in, audio out. Ours in JSON, and Coqui's in headers, query and form."""

from __future__ import annotations

from flask import Blueprint, Response, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes.body import parse_json, read_body
from qwen_tts_api.routes.connection import client_of
from qwen_tts_api.routes.coqui import read_parameters
from qwen_tts_api.routes.schemas import load_speech_request
from qwen_tts_api.service.requests import Speech, SpeechRequest, SpeechStream
from qwen_tts_api.service.speech import SpeechService

_METHODS = ("GET", "POST", "HEAD", "OPTIONS")


def blueprint(config: Config, service: SpeechService) -> Blueprint:
    """Return the route of synthesis."""
    routes = Blueprint("tts", __name__)

    @routes.route("/api/tts", methods=_METHODS, provide_automatic_options=False)
    def synthesize() -> Response:
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(_METHODS)})
        if request.method == "HEAD":
            return Response(mimetype="audio/wav")
        speech_request, ignored = _read_request(config)
        client = client_of(request.environ)
        if speech_request.stream:
            response = _respond_in_parts(service.stream(speech_request, client))
        else:
            response = _respond(service.synthesize(speech_request, client))
        if ignored:
            response.headers["X-Ignored-Parameters"] = ", ".join(ignored)
        return response

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


def _respond(speech: Speech) -> Response:
    job = speech.job
    response = Response(speech.data, mimetype=speech.media_type)
    _describe(response, speech)
    response.headers["X-Audio-Duration"] = f"{speech.duration_s:.3f}"
    response.headers["X-RTF"] = f"{job.model_s / max(speech.duration_s, 1e-9):.4f}"
    response.headers["X-Finish-Reason"] = job.finish_reason
    stages = {"queue": job.queue_s, "model": job.model_s, "encode": speech.encode_s}
    response.headers["Server-Timing"] = ", ".join(
        f"{stage};dur={1000 * seconds:.2f}" for stage, seconds in stages.items()
    )
    return response


def _respond_in_parts(stream: SpeechStream) -> Response:
    """Send audio as it is made. A failure breaks the connection: a clean end would be a lie."""
    response = Response(stream.chunks, mimetype=stream.media_type)
    _describe(response, stream)
    return response


def _describe(response: Response, speech: Speech | SpeechStream) -> None:
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Queue-Time"] = f"{speech.job.queue_s:.3f}"
    response.headers["X-Seed"] = str(speech.seed)
    response.headers["X-Sample-Rate"] = str(speech.sample_rate_hz)
    response.headers["X-Model"] = speech.model
