"""Fields of requests: strict types, each null or absent where the default is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from qwen_tts_api.config.settings import LIVE_MODES

MAX_SEED = 2**63 - 1

_DIGITS = re.compile(r"-?\d{1,20}", re.ASCII)
# As programs print them, 0.1 + 0.2 and 1e-05 among them. `float` would take "nan" and "1_0", too.
_FLOAT = re.compile(
    r"-?(\d{0,20}\.\d{1,20}|\d{1,20}(?=e))(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE
)


class Switch(fields.Boolean):
    """True or false, as JSON or as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={"invalid": "Must be true or false."}, **kwargs)


def string(description: str) -> fields.String:
    """Return a field for a text, or null."""
    return fields.String(allow_none=True, metadata={"description": description})


def switch(description: str) -> fields.Boolean:
    """Return a field for true, false or null."""
    return Switch(allow_none=True, metadata={"description": description})


def choice(description: str, *allowed: str) -> fields.String:
    """Return a string field with one of the allowed values, empty or null."""
    words = validate.OneOf(["", *allowed], error=f"Must be one of: {', '.join(allowed)}.")
    return fields.String(allow_none=True, validate=words, metadata={"description": description})


def live_mode() -> fields.String:
    """Return the field that says how a text is spoken while it arrives."""
    return choice("Sentence by sentence, or word by word; `QWEN_LIVE_MODE` if empty.", *LIVE_MODES)


class WholeNumber(fields.Integer):
    """A whole number; 5.0 is one to JSON Schema, "5" is none. marshmallow's own takes neither."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        number: int = super()._validated(value)
        return number


class _Seed(WholeNumber):
    """A string of digits is a seed, too: JavaScript has no number for one above 2^53."""

    def _validated(self, value: Any) -> int:
        is_digits = isinstance(value, str) and _DIGITS.fullmatch(value)
        return super()._validated(int(value) if is_digits else value)


def seed(description: str) -> fields.Integer:
    """Return a field for a seed, or null."""
    return _bounded(_Seed, 0, MAX_SEED, description)


def integer(low: int, high: int, description: str) -> fields.Integer:
    """Return a field for a whole number from `low` to `high`, or null."""
    return _bounded(WholeNumber, low, high, description)


def _bounded(kind: type[WholeNumber], low: int, high: int, description: str) -> fields.Integer:
    return kind(
        allow_none=True,
        strict=True,
        validate=validate.Range(low, high),
        metadata={"description": description},
    )


class _StrictFloat(fields.Float):
    """A JSON number; marshmallow's own also takes a string that looks like one."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number: float = super()._validated(value)
        return number


def number(
    low: float, high: float, description: str, *, min_inclusive: bool = True
) -> fields.Float:
    """Return a field for a number from `low` to `high`, or null."""
    # apispec describes the bound as one that is allowed.
    bound = {} if min_inclusive else {"exclusiveMinimum": low}
    return _StrictFloat(
        allow_none=True,
        validate=validate.Range(low, high, min_inclusive=min_inclusive),
        metadata={"description": description, **bound},
    )


def read_number(text: str) -> str | float:
    """Return the number that a form's field is, or the text, which the schema then refuses."""
    if _DIGITS.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read_numbers(schema: Schema, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a form's fields, with the numbers that those of a schema are."""
    numbers = {
        field.data_key or name
        for name, field in schema.fields.items()
        if isinstance(field, fields.Number)
    }
    return {name: read_number(text) if name in numbers else text for name, text in texts.items()}
