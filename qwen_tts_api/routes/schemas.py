"""The fields of a request for speech, checked for type and presence; meaning is the service's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, post_load, validate

from qwen_tts_api.audio.speed import FASTEST, SLOWEST
from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.routes.audio_field import AudioField
from qwen_tts_api.service.requests import SpeechRequest

MAX_SEED = 2**63 - 1


def integer(low: int, high: int) -> fields.Integer:
    """Return a field for a whole number from `low` to `high`, or null."""
    return fields.Integer(allow_none=True, strict=True, validate=validate.Range(low, high))


class _StrictFloat(fields.Float):
    """A JSON number; marshmallow's own also takes a string that looks like one."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number: float = super()._validated(value)
        return number


def _number(low: float, high: float, *, min_inclusive: bool = True) -> fields.Float:
    bounds = validate.Range(low, high, min_inclusive=min_inclusive)
    return _StrictFloat(allow_none=True, validate=bounds)


class SpeechSchema(Schema):
    """JSON and form fields of `/api/tts`. Empty and null mean the default."""

    text = fields.String(allow_none=True)  # that it is required is the service's to say
    language = fields.String(allow_none=True)
    speaker = fields.String(allow_none=True)
    instruct = fields.String(allow_none=True)
    ref_audio = AudioField(allow_none=True)
    ref_text = fields.String(allow_none=True)
    x_vector_only_mode = fields.Boolean(allow_none=True)
    model = fields.String(allow_none=True)
    audio_format = fields.String(allow_none=True)
    # Which rates are allowed depends on the format.
    sample_rate = fields.Integer(allow_none=True, strict=True, attribute="sample_rate_hz")
    speed = _number(SLOWEST, FASTEST)
    stream = fields.Boolean(allow_none=True)
    seed = integer(0, MAX_SEED)
    normalize = fields.Boolean(allow_none=True)
    max_new_tokens = integer(2, 8192)
    temperature = _number(0, 10)
    top_k = integer(0, 3072)
    top_p = _number(0, 1, min_inclusive=False)
    repetition_penalty = _number(0.1, 10)
    subtalker_temperature = _number(0, 10)
    subtalker_top_k = integer(0, 3072)
    subtalker_top_p = _number(0, 1, min_inclusive=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> SpeechRequest:
        return SpeechRequest(**{name: value for name, value in data.items() if value is not None})


NUMERIC_FIELDS = frozenset(
    name for name, field in SpeechSchema().fields.items() if isinstance(field, fields.Number)
)


def load_speech_request(document: Mapping[str, Any], *, ignore_unknown: bool) -> SpeechRequest:
    """Return the request that a JSON object or a form describes.

    Args:
        document: Values by field name.
        ignore_unknown: Pass over unknown fields, as Coqui's server does, instead of refusing them.

    Raises:
        InvalidRequest: A field is unknown or has the wrong type.
    """
    request: SpeechRequest = load(
        SpeechSchema(unknown=EXCLUDE if ignore_unknown else RAISE), document
    )
    return request


def load(schema: Schema, document: Mapping[str, Any]) -> Any:
    """Return what a schema makes of a JSON object or a form.

    Raises:
        InvalidRequest: The schema refuses it.
    """
    try:
        return schema.load(document)
    except ValidationError as error:
        raise _explain(error.messages_dict, schema) from None


def read_number(text: str) -> str | float:
    """Return the number that a form's field is, or the text, which the schema then refuses."""
    if re.fullmatch(r"-?\d{1,20}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{0,9}\.\d{1,9}", text, re.ASCII) else text


def _explain(messages: dict[str, list[str]], schema: Schema) -> InvalidRequest:
    known = {name: field.data_key or name for name, field in schema.fields.items()}
    sentences = [
        f"{name}: {texts[0]}" if name in known.values() else _unknown_field(name, known)
        for name, texts in messages.items()
    ]
    return InvalidRequest(" ".join(sentences), fields=messages)


def _unknown_field(name: str, known: dict[str, str]) -> str:
    """Return a hint at the nearest of the known names, which map our names to the dialect's."""
    names = list(known.values())
    nearest = known.get(name) or next(iter(difflib.get_close_matches(name, names, n=1)), "")
    hint = f"did you mean {nearest!r}?" if nearest else f"known are {', '.join(names)}."
    return f"Unknown field {name!r}: {hint}"
