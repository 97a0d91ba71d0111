"""Read the JSON files of a checkpoint, and validate their fields.

A missing field has the default of upstream's configuration classes. A field of a wrong type or
range is an error that names the file, the field and what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_tts_api.errors import LoadError

Document = dict[str, Any]

MAX_SHOWN = 60
MAX_INTEGER = 2**31
MAX_NUMBER = 2.0**127
"""Limits of tensor sizes and 32-bit floating-point numbers."""


@dataclass(frozen=True)
class FieldType:
    """The type and range of a field.

    Attributes:
        needed: What a value must be, for error messages.
        fits: Validates a value.
    """

    needed: str
    fits: Callable[[Any], bool]


def _is_integer(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < MAX_INTEGER


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < MAX_NUMBER


def _is_dialect(value: Any) -> bool:
    return isinstance(value, str) or value is None or value is False


POSITIVE = FieldType("an integer from 1 on, of 32 bits", lambda value: _is_integer(value, 1))
OPTIONAL_POSITIVE = FieldType(
    "an integer from 1 on, of 32 bits, or null",
    lambda value: value is None or _is_integer(value, 1),
)
GROUPS = FieldType("an integer from 2 to 64", lambda value: _is_integer(value, 2) and value <= 64)
WINDOW = FieldType(
    "an integer from 2 to 4096", lambda value: _is_integer(value, 2) and value <= 4096
)
ID = FieldType("an integer from 0 on, of 32 bits", lambda value: _is_integer(value, 0))
NUMBER = FieldType("a number above 0, of 32 bits", _is_number)
TEXT = FieldType("a text", lambda value: isinstance(value, str))
STRIDES = FieldType(
    "a list of integers from 1 on",
    lambda value: (
        isinstance(value, (list, tuple)) and bool(value) and all(_is_integer(n, 1) for n in value)
    ),
)
IDS = FieldType(
    "an object of names and integers from 0 on",
    lambda value: isinstance(value, dict) and all(_is_integer(n, 0) for n in value.values()),
)
OPTIONAL_IDS = FieldType(f"{IDS.needed}, or null", lambda value: value is None or IDS.fits(value))
DIALECTS = FieldType(
    "an object of names, each with the name of a dialect or false",
    lambda value: (
        value is None or (isinstance(value, dict) and all(map(_is_dialect, value.values())))
    ),
)
OBJECT = FieldType("a JSON object", lambda value: isinstance(value, dict))
OPTIONAL_OBJECT = FieldType(
    f"{OBJECT.needed}, or null", lambda value: value is None or isinstance(value, dict)
)
OPTIONAL_LIST = FieldType("a list, or null", lambda value: value is None or isinstance(value, list))


def read_json(path: Path) -> Document:
    """Read a JSON object from a file, with or without a byte order mark.

    Raises:
        LoadError: The file cannot be read, or is not a JSON object.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise LoadError(f"{path} is not a JSON object, but {_shown(document)}.")
    return document


def read_fields(document: Any, where: str, types: Mapping[str, FieldType]) -> Document:
    """Validate the fields of a document, and return it.

    Args:
        document: The document, with defaults filled in.
        where: The file and the path inside of it, for the error message.
        types: Types by the names of required fields.

    Raises:
        LoadError: A field is missing, or has a wrong type or range.
    """
    if not isinstance(document, dict):
        raise LoadError(f"{where} is {_shown(document)}; it has to be {OBJECT.needed}.")
    for name, field_type in types.items():
        if name not in document:
            raise LoadError(f"{where} has no {name!r}, which is needed.")
        if not field_type.fits(document[name]):
            raise LoadError(
                f"{where} says {name} {_shown(document[name])}; it has to be {field_type.needed}."
            )
    return document


def refuse_quantised(document: Document, where: str) -> None:
    """Refuse quantised weights.

    Raises:
        LoadError: The document has a quantization config.
    """
    for name in ("quantization_config", "compression_config"):
        if (found := document.get(name)) is not None:
            raise LoadError(
                f"{where} has a {name} ({_shown(found)}): quantised weights are not served, only "
                "those in bfloat16, float16 or float32."
            )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
