"""The marshmallow field of turns: a list of objects, or the same as JSON in a form or query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any

from marshmallow import ValidationError, fields

from qwen_tts_api.names import MAX_SHOWN_CHARS
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.service.text.script.turns import Turn

_NAMES = tuple(field.name for field in fields_of(Turn))

_DESCRIPTION = (
    "What several speakers say, one after the other, instead of `text`: each with its `text` and, "
    "as of the request, `speaker`, `instruct` and `language`. In a form or query as JSON."
)
_ITEMS = {
    "type": "object",
    "properties": {name: {"type": ["string", "null"]} for name in _NAMES},
    "required": ["text"],
    "additionalProperties": False,
}


class TurnsField(fields.Field[tuple[Turn, ...]]):
    """The turns; none if empty."""

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            metadata={"description": _DESCRIPTION, "type": "array", "items": _ITEMS},
        )

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[Turn, ...]:
        if isinstance(value, str):
            try:
                value = strict_json.parse(value) if value else []
            except ValueError as error:
                raise ValidationError(f"Not valid JSON: {error}.") from None
        if not isinstance(value, list):
            raise ValidationError('Not a list such as [{"speaker": "Ryan", "text": "Hello."}].')
        return tuple(_read(number, turn) for number, turn in enumerate(value, 1))


def _read(number: int, turn: Any) -> Turn:
    if not isinstance(turn, dict):
        raise ValidationError(f"Turn {number} is no object.")
    given = {name: value for name, value in turn.items() if value is not None}
    for name, value in given.items():
        if name not in _NAMES:
            raise ValidationError(
                f"Turn {number} has {name[:MAX_SHOWN_CHARS]!r}; known are {', '.join(_NAMES)}."
            )
        if not isinstance(value, str):
            raise ValidationError(f"Turn {number}: {name} is no string.")
    if not given.get("text", "").strip():
        raise ValidationError(f"Turn {number}: text is missing or blank.")
    return Turn(**given)
