"""Parse and validate request bodies: JSON, or a multipart form with a recording."""

from __future__ import annotations

from typing import Any

from flask import Request
from marshmallow import Schema, fields

from qwen_tts_api.config import Config
from qwen_tts_api.routes.bodies.body import ignored_query, parse_form, parse_json, read_body
from qwen_tts_api.routes.speech.field_types import read_numbers
from qwen_tts_api.routes.speech.schema import ignored_fields, load


def read_document(schema: Schema, request: Request, config: Config) -> tuple[Any, list[str]]:
    """Validate a request's body; return the schema's result and the names of ignored fields.

    Raises:
        InvalidRequest: The body is neither a JSON object nor a form, or is invalid.
    """
    body = read_body(request, config)
    values = _read(schema, request, body)
    ignored = [] if config.strict_parameters else ignored_fields(schema, values)
    document = {name: value for name, value in values.items() if name not in ignored}
    return load(schema, document), [*ignored, *ignored_query(request)]


def _read(schema: Schema, request: Request, body: bytes) -> dict[str, Any]:
    if request.mimetype != "multipart/form-data":
        return parse_json(body)
    form = parse_form(request, body)
    return read_numbers(schema, form.fields) | form.files


def text(description: str) -> fields.String:
    """Return a string field that may be null."""
    return fields.String(allow_none=True, metadata={"description": description})
