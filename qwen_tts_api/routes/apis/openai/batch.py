"""`POST /v1/audio/speech/batch`, as vLLM-Omni has it: several texts, each with its own result.

What is malformed refuses all of them, before anything is spoken. What a single well-formed text
cannot have (a voice that there is not, say) is that text's error.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from qwen_tts_api.audio.provenance import SOURCE_TYPE
from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TTSError
from qwen_tts_api.routes.apis.openai.batch_schema import (
    DEFAULT_FORMAT,
    MAX_ITEMS,
    MAX_TEXTS,
    SpeechBatchResultSchema,
    SpeechBatchSchema,
)
from qwen_tts_api.routes.apis.openai.events import describe_usage
from qwen_tts_api.routes.apis.openai.names import FIELDS, find_model, take_speaker
from qwen_tts_api.routes.apis.openai.schema import OpenAIRequest, OpenAISpeechSchema
from qwen_tts_api.routes.apis.openai.speech import translate
from qwen_tts_api.routes.bodies.body import ignored_query, parse_json, read_body
from qwen_tts_api.routes.connection import client_connection
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.speech.response import report_ignored
from qwen_tts_api.routes.speech.schema import ignored_fields, load
from qwen_tts_api.routes.speech.timed import describe_times
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.result import Speech
from qwen_tts_api.service.speech import SpeechService

Document = Mapping[str, Any]

_SCHEMA = OpenAISpeechSchema()


def add_routes(routes: Blueprint, config: Config, service: SpeechService) -> None:
    """Add the route of batches."""

    @routes.post("/audio/speech/batch")
    @Operation(
        "Speak several texts: vLLM-Omni-compatible",
        tag="openai",
        method="POST",
        description="The fields beside `items` hold for each item that does not have its own. A "
        "text that cannot be spoken has an error in its place; the status is 200 all the same.",
        body={"application/json": SpeechBatchSchema},
        example={"voice": "alloy", "items": [{"input": "Hello."}, {"input": "Goodbye."}]},
        answers={
            200: Answer(
                "The results in the order of the items.",
                SpeechBatchResultSchema,
                headers=("X-Ignored-Parameters", "X-Digital-Source-Type"),
            )
        },
        errors=(TTSError, (404, "model_not_found")),
        error_schema="OpenAIError",
    )
    def batch() -> Response:
        g.field_names = FIELDS
        items, ignored = _read_items(config)
        _count(config, len(items))
        g.record.text = "\n".join(asked.speech.whole_text for asked in items)
        wanted = [_translated(asked, config, service, ignored) for asked in items]
        requests = [each for each in wanted if isinstance(each, SpeechRequest)]
        spoken = iter(service.synthesize_all(requests, client_connection(request.environ)))
        results = [next(spoken) if isinstance(each, SpeechRequest) else each for each in wanted]
        return _respond(results, ignored)


def _read_items(config: Config) -> tuple[list[OpenAIRequest], list[str]]:
    """Return what is asked for, and the names of fields that are ignored.

    Raises:
        InvalidRequest: The body is no batch, or a field of it is wrong.
    """
    document = parse_json(read_body(request, config))
    items = document.pop("items", None)
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise _wrong(f"'items' must be a list of 1 to {MAX_ITEMS} objects.", "items")
    shared, ignored = _known(document, config)
    ignored += ignored_query(request)
    # The recording is decoded once; what else is wrong with these fields is not an item's fault.
    loaded: OpenAIRequest = load(_SCHEMA, shared)
    if loaded.speech.ref_audio is not None:
        shared["ref_audio"] = loaded.speech.ref_audio
    asked = []
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            name = f"items[{number}]"
            raise _wrong(f'{name} must be an object such as {{"input": "Hello."}}.', name)
        asked.append(_read_item(item, number, shared, ignored, config))
    num_chars = sum(len(each.speech.whole_text) for each in asked)
    if num_chars > (limit := MAX_TEXTS * config.max_text_chars):
        raise _wrong(f"The items have {num_chars} characters; allowed are {limit} in all.", "items")
    return asked, ignored


def _read_item(
    item: Document, number: int, shared: Document, ignored: list[str], config: Config
) -> OpenAIRequest:
    known, unknown = _known(item, config)
    ignored += unknown
    given = {name: value for name, value in known.items() if value is not None}
    merged = {"response_format": DEFAULT_FORMAT, **shared, **given}
    try:
        asked: OpenAIRequest = load(_SCHEMA, merged)
    except InvalidRequest as error:
        fields = {f"items[{number}].{name}": texts for name, texts in (error.fields or {}).items()}
        raise InvalidRequest(f"items[{number}]: {error.message}", fields=fields) from None
    if given.get(FIELDS["text"]) is None and not asked.speech.turns:
        name = f"items[{number}].{FIELDS['text']}"
        raise _wrong(f"{name} is required: the text to speak.", name)
    ignored += asked.ignored
    return asked


def _known(document: Document, config: Config) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that mean something here, and the names of those that do not.

    `speaker` is another name of `voice`, as in vLLM-Omni; nothing of a batch is streamed.
    """
    fields = dict(document)
    ignored = take_speaker(fields)
    ignored += [name for name in ("stream", "stream_format") if fields.pop(name, None) is not None]
    ignored += [] if config.strict_parameters else ignored_fields(_SCHEMA, fields)
    return {name: value for name, value in fields.items() if name not in ignored}, ignored


def _count(config: Config, num_items: int) -> None:
    """Count each item for the rate limit, of which the request itself is one.

    Raises:
        RateLimited: They are more than are left of this minute.
        InvalidRequest: They are more than there are in any minute.
    """
    if "count_request" not in g or num_items == 1:
        return
    if num_items > config.rate_limit:
        raise _wrong(
            f"A batch of {num_items} counts as so many requests, of which {config.rate_limit} a "
            "minute are allowed (QWEN_RATE_LIMIT).",
            "items",
        )
    g.count_request(num_items - 1)


def _translated(
    asked: OpenAIRequest, config: Config, service: SpeechService, ignored: list[str]
) -> SpeechRequest | TTSError:
    """Return an item in our terms, or why it cannot be; add to the names of ignored fields.

    Raises:
        UnknownModel: The batch's model is not served.
    """
    service.models.name(find_model(asked.speech.model, service.models.names))
    try:
        wanted, idle = translate(asked, config, service)
    except TTSError as error:
        return error
    ignored += idle
    return replace(wanted, stream=False)


def _respond(results: Sequence[Speech | TTSError], ignored: Sequence[str]) -> Response:
    num_spoken = sum(isinstance(result, Speech) for result in results)
    num_failed = len(results) - num_spoken
    g.record.details = {"items": len(results), "failed": num_failed}
    response = jsonify(
        {
            "id": f"speech-batch-{uuid.uuid4().hex}",
            "results": list(_describe(results)),
            "total": len(results),
            "succeeded": num_spoken,
            "failed": num_failed,
        }
    )
    infos = [each.info for each in results if isinstance(each, Speech)]
    if any(info.is_marked for info in infos):
        response.headers["X-Digital-Source-Type"] = SOURCE_TYPE
    response.headers["Cache-Control"] = "no-cache"
    idle = [FIELDS.get(name, name) for info in infos for name in info.ignored]
    report_ignored(response, list(dict.fromkeys([*ignored, *idle])))
    return response


def _describe(results: Sequence[Speech | TTSError]) -> Iterator[dict[str, Any]]:
    for index, result in enumerate(results):
        if isinstance(result, TTSError):
            yield {"index": index, "status": "error", "error": result.message_in(FIELDS)}
            continue
        times = describe_times(result) if result.times is not None else {}
        yield {
            "index": index,
            "status": "success",
            "audio_data": base64.b64encode(result.data).decode("ascii"),
            "media_type": result.info.media_type,
            "usage": describe_usage(result.usage),
            **times,
        }


def _wrong(sentence: str, field: str) -> InvalidRequest:
    return InvalidRequest(sentence, fields={field: [sentence]})
