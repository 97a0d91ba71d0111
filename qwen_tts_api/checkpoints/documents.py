"""The JSON documents of a checkpoint, and the fields in them, read strictly.

A field that is missing has the value that upstream's configuration classes put in its place; one of
another type or range is refused with a sentence that says where it is and what it has to be.
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
"""What tensors' sizes and numbers of 32 bits can hold; above it nothing is meant."""


@dataclass(frozen=True)
class Kind:
    """What a field may be."""

    needed: str
    fits: Callable[[Any], bool]


def _is_integer(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < MAX_INTEGER


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < MAX_NUMBER


def _is_dialect(value: Any) -> bool:
    return isinstance(value, str) or value is None or value is False


POSITIVE = Kind("an integer from 1 on, of 32 bits", lambda value: _is_integer(value, 1))
OPTIONAL_POSITIVE = Kind(
    "an integer from 1 on, of 32 bits, or null",
    lambda value: value is None or _is_integer(value, 1),
)
GROUPS = Kind("an integer from 2 to 64", lambda value: _is_integer(value, 2) and value <= 64)
WINDOW = Kind("an integer from 2 to 4096", lambda value: _is_integer(value, 2) and value <= 4096)
ID = Kind("an integer from 0 on, of 32 bits", lambda value: _is_integer(value, 0))
NUMBER = Kind("a number above 0, of 32 bits", _is_number)
TEXT = Kind("a text", lambda value: isinstance(value, str))
STRIDES = Kind(
    "a list of integers from 1 on",
    lambda value: (
        isinstance(value, (list, tuple)) and bool(value) and all(_is_integer(n, 1) for n in value)
    ),
)
IDS = Kind(
    "an object of names and integers from 0 on",
    lambda value: isinstance(value, dict) and all(_is_integer(n, 0) for n in value.values()),
)
OPTIONAL_IDS = Kind(f"{IDS.needed}, or null", lambda value: value is None or IDS.fits(value))
DIALECTS = Kind(
    "an object of names, each with the name of a dialect or false",
    lambda value: (
        value is None or (isinstance(value, dict) and all(map(_is_dialect, value.values())))
    ),
)
OBJECT = Kind("a JSON object", lambda value: isinstance(value, dict))
OPTIONAL_OBJECT = Kind(
    f"{OBJECT.needed}, or null", lambda value: value is None or isinstance(value, dict)
)
OPTIONAL_LIST = Kind("a list, or null", lambda value: value is None or isinstance(value, list))


def read_json(path: Path) -> Document:
    """Read a file that has to be a JSON object; a byte order mark before it does no harm.

    Raises:
        LoadError: It is missing, or something else.
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


def read_fields(document: Any, where: str, kinds: Mapping[str, Kind]) -> Document:
    """Return a document whose fields of `kinds` are there and fit.

    Args:
        document: With its defaults.
        where: The file and the part of it, for the sentence.
        kinds: By the fields' names.

    Raises:
        LoadError: A field is missing, or is of another kind.
    """
    if not isinstance(document, dict):
        raise LoadError(f"{where} is {_shown(document)}; it has to be {OBJECT.needed}.")
    for name, kind in kinds.items():
        if name not in document:
            raise LoadError(f"{where} has no {name!r}, which is needed.")
        if not kind.fits(document[name]):
            raise LoadError(
                f"{where} says {name} {_shown(document[name])}; it has to be {kind.needed}."
            )
    return document


def refuse_quantised(document: Document, where: str) -> None:
    """Refuse weights that are numbers of another kind, with scales.

    Raises:
        LoadError: The document announces them.
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
