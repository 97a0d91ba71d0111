"""The marshmallow field of turns: a list of objects, or the same as JSON in a form or query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any

from marshmallow import ValidationError, fields

from qwen_tts_api.names import MAX_SHOWN_CHARS
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.service.text.script.turns import Turn

NAMES = {field.name: field.name for field in fields_of(Turn)}
"""What a turn's attributes are called."""

_DESCRIPTION = (
    "What several speakers say, one after the other, instead of `text`: each with its `text` and, "
    "as of the request, `speaker`, `instruct` and `language`. In a form or query as JSON."
)


class TurnsField(fields.Field[tuple[Turn, ...]]):
    """The turns; none if empty.

    Args:
        names: What an API calls the attributes that a turn may have there.
        required: Those of them that a turn must have, by our names.
        description: Of the field.
        options: Of marshmallow's field.
    """

    def __init__(
        self,
        names: Mapping[str, str] = NAMES,
        required: Sequence[str] = ("text",),
        description: str = _DESCRIPTION,
        **options: Any,
    ) -> None:
        self._names = {theirs: ours for ours, theirs in names.items()}
        self._required = [names[ours] for ours in required]
        items = {
            "type": "object",
            "properties": {
                name: {"type": "string" if name in self._required else ["string", "null"]}
                for name in self._names
            },
            "required": self._required,
            "additionalProperties": False,
        }
        super().__init__(
            metadata={"description": description, "type": "array", "items": items}, **options
        )

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[Turn, ...]:
        if isinstance(value, str):
            try:
                value = strict_json.parse(value) if value.strip() else None
            except ValueError as error:
                raise ValidationError(f"Not valid JSON: {error}.") from None
            if value is None:
                return ()
        if not isinstance(value, list):
            raise ValidationError('Not a list such as [{"speaker": "Ryan", "text": "Hello."}].')
        return tuple(self._read(number, turn) for number, turn in enumerate(value, 1))

    def _read(self, number: int, turn: Any) -> Turn:
        if not isinstance(turn, dict):
            raise ValidationError(f"Turn {number} is no object.")
        given = {name: value for name, value in turn.items() if value is not None}
        for name, value in given.items():
            if name not in self._names:
                known = ", ".join(self._names)
                raise ValidationError(
                    f"Turn {number} has {name[:MAX_SHOWN_CHARS]!r}; known are {known}."
                )
            if not isinstance(value, str):
                raise ValidationError(f"Turn {number}: {name} is no string.")
        for name in self._required:
            if not given.get(name, "").strip():
                raise ValidationError(f"Turn {number}: {name} is missing or blank.")
        return Turn(**{self._names[name]: value for name, value in given.items()})
