"""Fields that say how a text is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate

from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.service.request import FULL
from qwen_tts_api.service.text.verbalize.pronunciations import MAX_CHARS

MAX_OWN_WORDS = 500
MAX_OWN_CHARS = 10_000
"""Of all words of a request together: their pattern is compiled for it, in up to a second for so
many, and not beside other requests (GIL)."""

_SPELLING = {"type": "string", "pattern": r"^\S", "minLength": 1, "maxLength": MAX_CHARS}


class NormalizeField(fields.Field[bool | str | None]):
    """`true`, `false` or `full`, as JSON or as text."""

    def __init__(self, description: str) -> None:
        choices = validate.OneOf((True, False, FULL))
        super().__init__(allow_none=True, validate=choices, metadata={"description": description})

    def _validate(self, value: Any) -> None:
        if value is not None:  # what an empty parameter is
            super()._validate(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool | str | None:
        if isinstance(value, str) and value.lower() == FULL:
            return FULL
        for result, words in ((True, fields.Boolean.truthy), (False, fields.Boolean.falsy)):
            if isinstance(value, bool | int | str) and value in words:
                return result
        if value == "":
            return None
        raise ValidationError(f"Must be true, false or {FULL!r}.")


class PronunciationsField(fields.Field[tuple[tuple[str, str], ...] | None]):
    """An object of words and their respellings; as a parameter, its JSON."""

    def __init__(self, description: str) -> None:
        metadata = {
            "type": "object",
            "maxProperties": MAX_OWN_WORDS,
            "propertyNames": _SPELLING,
            "additionalProperties": _SPELLING,
            "description": description,
        }
        super().__init__(allow_none=True, metadata=metadata)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[tuple[str, str], ...] | None:
        if isinstance(value, str):
            try:
                value = strict_json.parse(value)
            except ValueError:
                value = None if not value.strip() else value
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ValidationError('Must be an object such as {"nginx": "engine ex"}.')
        if len(value) > MAX_OWN_WORDS:
            raise ValidationError(
                f"Has {len(value)} words; allowed are {MAX_OWN_WORDS}. QWEN_PRONUNCIATIONS is a "
                "file of more."
            )
        if (num_chars := sum(map(len, value))) > MAX_OWN_CHARS:
            raise ValidationError(
                f"Its words have {num_chars} characters together; allowed are {MAX_OWN_CHARS}. "
                "QWEN_PRONUNCIATIONS is a file of more."
            )
        for word, respelling in value.items():
            _check(word, respelling)
        return tuple(value.items())


def _check(word: str, respelling: Any) -> None:
    if not isinstance(respelling, str):
        raise ValidationError(f"The respelling of {word[:60]!r} is no string.")
    if not word.strip() or not respelling.strip():
        raise ValidationError(f"{word[:60]!r}: neither word nor respelling may be blank.")
    if max(len(word), len(respelling)) > MAX_CHARS:
        raise ValidationError(f"{word[:60]!r}: either has up to {MAX_CHARS} characters.")
    if any("\ud800" <= char <= "\udfff" for char in word + respelling):
        raise ValidationError("Is not valid Unicode: it contains half of a surrogate pair.")
