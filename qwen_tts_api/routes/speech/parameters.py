"""A request for speech as parameters of a query, a form or headers, by an API's names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from qwen_tts_api.routes.bodies.audio_field import AudioField
from qwen_tts_api.routes.speech.field_types import read_numbers
from qwen_tts_api.routes.speech.schema import SPEECH, load_speech_request
from qwen_tts_api.service.request import SpeechRequest


class _Ignoring(Schema):
    """Servers that are asked by parameters ignore those that they do not know."""

    class Meta:
        """Other parameters may come."""

        unknown = EXCLUDE


class ParameterNames:
    """What an API calls the fields of `SpeechSchema`: all of them, those it lacks by our names.

    Args:
        names: The API's names by ours, where they differ.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {ours: names.get(ours, ours) for ours in SPEECH.fields}

    def __contains__(self, name: str) -> bool:
        """Return whether a parameter is a field."""
        return name in self._names.values()

    def read(
        self, given: Mapping[str, str], files: Mapping[str, bytes] | None = None
    ) -> SpeechRequest:
        """Return the request; empty parameters mean the default, unknown ones nothing.

        Args:
            given: The parameters by the API's names.
            files: Those of a form, likewise.

        Raises:
            InvalidRequest: A field has the wrong type.
        """
        texts = {ours: given[name] for ours, name in self._names.items() if given.get(name)}
        recordings = {
            ours: files[name]
            for ours, name in self._names.items()
            if files and files.get(name) and isinstance(SPEECH.fields[ours], AudioField)
        }
        return load_speech_request(read_numbers(SPEECH, texts) | recordings)

    def schema(self, name: str, **special: fields.Field[Any]) -> type[Schema]:
        """Return the parameters as the document has them.

        Args:
            name: Of the schema.
            special: Fields that are described otherwise, or are no fields of ours.
        """
        documented = {theirs: documented_field(ours) for ours, theirs in self._names.items()}
        return _Ignoring.from_dict({**documented, **special}, name=name)


def documented_field(name: str) -> fields.Field[Any]:
    """Return one of our fields as a parameter is: text, which cannot be null."""
    field = copy.copy(SPEECH.fields[name])
    field.allow_none = False
    field.attribute = field.data_key = None
    return field


def described(text: str, *, required: bool = False) -> fields.String:
    """Return a parameter for the document."""
    return fields.String(required=required, metadata={"description": text})


def headers_schema(name: str, headers: Mapping[str, fields.Field[Any]]) -> type[Schema]:
    """Return headers as the document has them."""
    return _Ignoring.from_dict(dict(headers), name=name)


def first_given(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return each parameter from the first source in which it is not empty."""
    given: dict[str, str] = {}
    for source in sources:
        for name, value in source.items():
            given[name] = given.get(name) or value
    return given
