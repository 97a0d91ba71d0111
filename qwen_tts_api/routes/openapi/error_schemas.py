"""The bodies of errors, as each API renders them, for the document."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.openapi.operations import (
    INTERNAL_ERROR,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    codes_of,
)


def _message() -> fields.String:
    return fields.String(
        required=True, metadata={"description": "A sentence: what was wrong, and what is allowed."}
    )


def _request_id() -> fields.String:
    return fields.String(
        required=True, metadata={"description": "Also in `X-Request-Id`, and in the log."}
    )


def _fields() -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        data_key="fields",
        metadata={"description": "Messages by the name of the field that is to blame."},
    )


class ErrorSchema(Schema):
    """The body of every error."""

    error = fields.String(
        required=True,
        metadata={"description": "A sentence that names what was wrong, and what is allowed."},
    )
    code = fields.String(
        required=True,
        validate=validate.OneOf(
            sorted(
                {code for _, code in codes_of(TTSError)}
                | {code for _, code in (NOT_FOUND, METHOD_NOT_ALLOWED, INTERNAL_ERROR)}
            )
        ),
        metadata={"description": "A stable word for programs."},
    )
    fields_ = _fields()
    request_id = _request_id()


class OpenAIErrorDetailSchema(Schema):
    """What OpenAI's clients read of an error."""

    message = _message()
    type = fields.String(required=True, metadata={"description": "Whose fault it is."})
    param = fields.String(
        required=True, allow_none=True, metadata={"description": "The field that is to blame."}
    )
    code = fields.String(required=True, metadata={"description": "A stable word for programs."})


class OpenAIErrorSchema(Schema):
    """The body of an error of the OpenAI-compatible API."""

    error = fields.Nested(
        OpenAIErrorDetailSchema, required=True, metadata={"description": "The error."}
    )


class ElevenLabsErrorDetailSchema(Schema):
    """What ElevenLabs' clients read of an error."""

    status = fields.String(required=True, metadata={"description": "A stable word for programs."})
    message = _message()
    request_id = _request_id()
    fields_ = _fields()


class ElevenLabsErrorSchema(Schema):
    """The body of an error of the ElevenLabs-compatible API."""

    detail = fields.Nested(
        ElevenLabsErrorDetailSchema, required=True, metadata={"description": "The error."}
    )


class DashScopeErrorSchema(Schema):
    """The body of an error of the handshake of Qwen-TTS-Realtime."""

    code = fields.String(required=True, metadata={"description": "A stable word for programs."})
    message = _message()
    request_id = _request_id()


SCHEMAS: dict[str, type[Schema] | dict[str, Any]] = {
    "Error": ErrorSchema,
    "OpenAIError": OpenAIErrorSchema,
    "ElevenLabsError": ElevenLabsErrorSchema,
    "DashScopeError": DashScopeErrorSchema,
    "Sentence": {
        "type": "string",
        "description": "A line of plain text, as MaryTTS's clients show it.",
    },
}
"""Shapes of errors, by the name that `Operation(error_schema=...)` uses."""
