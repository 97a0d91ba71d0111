"""`POST /v1/text-to-speech/{voice_id}`, and `/stream` below it: a whole file, or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from flask import Blueprint, Request, Response, g, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import TextRequired, TTSError
from qwen_tts_api.routes.apis.elevenlabs.names import (
    FIELDS,
    find_model,
    find_voice,
    read_output_format,
)
from qwen_tts_api.routes.apis.elevenlabs.schema import (
    NO_EFFECT,
    ElevenLabsRequest,
    ElevenLabsSpeechSchema,
    OutputQuery,
)
from qwen_tts_api.routes.bodies.body import ignored_query, parse_json, read_body
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.speech import response
from qwen_tts_api.routes.speech.schema import has_text, ignored_fields, load
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_SCHEMA = ElevenLabsSpeechSchema()

_AUDIO = response.speech_answer("The audio.")


def describe_operation(summary: str, answer: Answer = _AUDIO) -> Operation:
    """Return the description of a route that speaks a text."""
    return Operation(
        summary,
        tag="elevenlabs",
        method="POST",
        query=OutputQuery,
        body={"application/json": {"allOf": [ElevenLabsSpeechSchema, has_text("text")]}},
        example={"text": "Hello, I am here.", "model_id": "eleven_flash_v2_5"},
        answers={200: answer},
        errors=(TTSError,),
        error_schema="ElevenLabsError",
    )


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the routes of speech synthesis."""

    def respond(voice_id: str, *, stream: bool) -> Response:
        asked, ignored = read_request(voice_id, request, config, service)
        return response.synthesize(service, replace(asked, stream=stream), request, ignored, FIELDS)

    @routes.post("/v1/text-to-speech/<voice_id>")
    @describe_operation("Speak a text: ElevenLabs-compatible")
    def convert(voice_id: str) -> Response:
        return respond(voice_id, stream=False)

    @routes.post("/v1/text-to-speech/<voice_id>/stream")
    @describe_operation("Speak a text as it is made: ElevenLabs-compatible")
    def stream(voice_id: str) -> Response:
        return respond(voice_id, stream=True)


def read_request(
    voice_id: str, request: Request, config: Config, service: SpeechService
) -> tuple[SpeechRequest, list[str]]:
    """Return the request, and the names of fields that are ignored.

    Raises:
        InvalidRequest: The body is not a JSON object, or a field is wrong.
    """
    g.field_names = FIELDS
    # As that of ElevenLabs' sockets, it may be in the query.
    in_query = {FIELDS["ssml"]: request.args.get(FIELDS["ssml"])}
    asked, ignored = read_fields(_SCHEMA, request, config, in_query)
    speech = replace(asked, break_tags=not asked.ssml)
    output_format = request.args.get("output_format", "")
    wanted, idle = find_request(speech, voice_id, output_format, config, service)
    if not wanted.whole_text:
        raise TextRequired("'text' is required.", fields={"text": ["Missing or empty."]})
    return wanted, [*ignored, *idle]


def read_fields(
    schema: ElevenLabsSpeechSchema,
    request: Request,
    config: Config,
    in_query: Mapping[str, str | None] | None = None,
) -> tuple[SpeechRequest, list[str]]:
    """Return what a body asks for, and the names of its fields that are ignored.

    Args:
        schema: Of the body.
        request: Of the client.
        config: The settings.
        in_query: Fields that the query has, where the body does not.

    Raises:
        InvalidRequest: The body is not a JSON object, or a field is wrong.
    """
    values = parse_json(read_body(request, config))
    ignored = [name for name in NO_EFFECT if values.pop(name, None) is not None]
    if not config.strict_parameters:
        unknown = ignored_fields(schema, values)
        ignored += unknown
        values = {name: value for name, value in values.items() if name not in unknown}
    for name, value in (in_query or {}).items():
        if value and values.get(name) is None:
            values[name] = value
    asked: ElevenLabsRequest = load(schema, values)
    unread = ignored_query(request, *OutputQuery().fields, *(in_query or {}))
    return asked.speech, [*asked.ignored, *ignored, *unread]


def find_request(
    asked: SpeechRequest,
    voice_id: str,
    output_format: str,
    config: Config,
    service: SpeechService,
) -> tuple[SpeechRequest, list[str]]:
    """Return a request with the voice, model and format that ElevenLabs' names mean here.

    An id of a voice of ElevenLabs' cloud is ignored, for nobody has it here.

    Returns also the names of fields that are ignored.

    Raises:
        UnknownFormat: There is no such `output_format`.
    """
    audio_format, rate_hz = read_output_format(output_format)
    model = find_model(asked.model, service.models.names)
    voice = find_voice(voice_id, partial(service.voices.is_taken, model=model))
    lenient = not config.strict_parameters
    idle = [FIELDS["speaker"]] if voice is None and lenient else []
    if voice is None:
        voice = "" if lenient else voice_id  # which is refused
    wanted = replace(
        asked,
        model=model,
        speaker=voice,
        audio_format=audio_format,
        sample_rate_hz=rate_hz,
        lenient=lenient,
        silence=True,
    )
    return wanted, idle
