"""`POST /v1/audio/speech`: a whole file, a stream of audio, or server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from flask import Blueprint, Request, Response, g, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import NotSupported, TextRequired, TTSError
from qwen_tts_api.routes.apis.openai.document import read_document
from qwen_tts_api.routes.apis.openai.events import Events
from qwen_tts_api.routes.apis.openai.names import (
    FIELDS,
    find_model,
    find_voice,
)
from qwen_tts_api.routes.apis.openai.schema import TASK_TYPES, OpenAIRequest, OpenAISpeechSchema
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import EVENT_STREAM, Operation
from qwen_tts_api.routes.speech import response
from qwen_tts_api.routes.speech.schema import has_text
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

_SCHEMA = OpenAISpeechSchema()

_AUDIO = response.speech_answer(
    "The audio; with `stream_format: sse`, events that carry it.",
    (*response.AUDIO_TYPES, EVENT_STREAM),
)


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the route of speech synthesis."""

    @routes.post("/audio/speech")
    @Operation(
        "Speak a text: OpenAI-compatible",
        tag="openai",
        method="POST",
        description="A whole file, unless `stream`, a `stream_format` or openai-python's "
        "`with_streaming_response` asks for parts.",
        body={
            "application/json": {"allOf": [OpenAISpeechSchema, has_text("input")]},
            "multipart/form-data": OpenAISpeechSchema,
        },
        example={"model": "tts-1", "voice": "alloy", "input": "Hello, I am here."},
        answers={200: _AUDIO},
        errors=(TTSError, (404, "model_not_found")),
        error_schema="OpenAIError",
    )
    def speech() -> Response:
        asked: OpenAIRequest
        asked, unknown = read_document(_SCHEMA, request, config)
        g.field_names = FIELDS
        if not asked.speech.whole_text:
            raise TextRequired(
                "'input' is required: the text to speak.", fields={"input": ["Missing or empty."]}
            )
        wanted, idle = translate(asked, config, service)
        if not asked.is_stream_given:
            wanted = replace(wanted, stream=_streams(request, config))
        respond = _respond_in_events if asked.events else response.synthesize
        return respond(service, wanted, request, [*unknown, *asked.ignored, *idle], FIELDS)


def _streams(request: Request, config: Config) -> bool:
    """Return whether to stream the answer to a request without `stream` and `stream_format`.

    openai-python's `with_streaming_response` sends a header, and leaves reading the body to its
    caller. Its plain call reads the whole body, and retries twice if the stream fails; so it gets a
    whole file.
    """
    asks = request.headers.get("X-Stainless-Raw-Response", "").lower() == "stream"
    return asks or config.openai_stream == "always"


def translate(
    asked: OpenAIRequest, config: Config, service: SpeechService
) -> tuple[SpeechRequest, list[str]]:
    """Replace OpenAI's names of models and voices by ours; return the request and ignored fields.

    `voice` is ignored if it is one of OpenAI's without a counterpart, since its SDKs require it.

    Raises:
        InvalidRequest: There is no such model, or one of another kind.
    """
    model = _find_model(asked, service)
    requested = asked.speech.speaker
    voice = find_voice(requested, partial(service.voices.is_taken, model=model))
    lenient = not config.strict_parameters
    idle = [FIELDS["speaker"]] if voice is None and lenient else []
    if voice is None:
        voice = "" if lenient else requested
    wanted = replace(asked.speech, model=model, speaker=voice, lenient=lenient, silence=True)
    return wanted, idle


def _find_model(asked: OpenAIRequest, service: SpeechService) -> str:
    """Return our name of the requested model; empty, the service's choice, if none is requested.

    Raises:
        NotSupported: The model is not of the kind that `task_type` names, or no such is served.
        UnknownModel: The model is not served.
    """
    model = find_model(asked.speech.model, service.models.names)
    if not asked.task_type:
        return model
    kind = TASK_TYPES[asked.task_type]
    found = model if model and service.models.card(model).kind == kind else None
    if not model:
        found = service.models.first_of_kind(kind)
    if found is None:
        subject = f"the model {model!r} is of another kind" if model else "no such model is served"
        raise NotSupported(
            f"'task_type' is {asked.task_type!r}, but {subject}: leave it out.",
            fields={"task_type": ["The model is of another kind."]},
        )
    return found


def _respond_in_events(
    service: SpeechService,
    wanted: SpeechRequest,
    request: Request,
    ignored: Sequence[str],
    names: Mapping[str, str],
) -> Response:
    """Answer as `response.synthesize`, with server-sent events."""
    g.record.text = wanted.whole_text
    stream = service.stream(replace(wanted, stream=True), client_connection(request.environ))
    answer = Response(Events(stream), mimetype=EVENT_STREAM)
    response.describe(answer, stream.info, ignored, names)
    return answer
