"""Generate the tables in `docs/` that come from the code: `make docs`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import marshmallow
from marshmallow.validate import Range

from bench import sizing
from qwen_tts_api.audio import FORMATS
from qwen_tts_api.config import PREFIX, Config
from qwen_tts_api.routes.speech.field_types import MAX_SEED
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.routes.speech.turns_field import TurnsField
from qwen_tts_api.routes.speech.word_fields import NormalizeField, PronunciationsField

DOCS = Path(__file__).resolve().parent.parent / "docs"


def settings_table() -> Iterator[str]:
    """Yield the lines of a table with a row for each setting."""
    yield "| name | default | allowed | purpose |"
    yield "|---|---|---|---|"
    for setting in fields(Config):
        allowed, purpose = setting.metadata["allowed"], setting.metadata["purpose"]
        name = PREFIX + setting.name.upper()
        yield f"| `{name}` | {_default(setting)} | {allowed} | {purpose} |"


def _default(setting: Field[object]) -> str:
    if setting.name == "cache_dir":  # not that of whoever runs this
        return "`~/.cache/qwen-tts-api`"
    default = setting.default
    if default in ("", (), None):
        return ""
    if isinstance(default, bool):
        return f"`{int(default)}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def fields_table() -> Iterator[str]:
    """Yield the lines of a table with a row for each field of a request for speech."""
    yield "| field | allowed | meaning |"
    yield "|---|---|---|"
    for name, field in SpeechSchema().fields.items():
        yield f"| `{name}` | {_allowed(field)} | {field.metadata['description']} |"


def _allowed(field: marshmallow.fields.Field[Any]) -> str:
    """Return what JSON may have, in words."""
    for bounds in field.validators:
        if isinstance(bounds, Range) and bounds.max == MAX_SEED:
            return "0 to 2^63 - 1"
        if isinstance(bounds, Range):
            low, high = (f"{bound:g}" for bound in (bounds.min, bounds.max))
            return f"{low} to {high}" if bounds.min_inclusive else f"above {low}, up to {high}"
    kinds = {TurnsField: "a list", PronunciationsField: "an object"}
    kinds |= {NormalizeField: "`true`, `false` or `full`"}
    if (kind := kinds.get(type(field))) is not None:
        return kind
    if isinstance(field, marshmallow.fields.Boolean):
        return "`true` or `false`"
    return "a number" if isinstance(field, marshmallow.fields.Number) else "a string"


ENCODERS = DOCS.parent / "bench" / "results" / "encoders.json"


def formats_table() -> Iterator[str]:
    """Yield the lines of a table with a row for each format, with its measured speed."""
    measured = json.loads(ENCODERS.read_text())["result"]["formats"]
    yield "| `audio_format` | what it is | media type | x | held back | of joined files plays |"
    yield "|---|---|---|---|---|---|"
    for name, entry in FORMATS.items():
        figures = measured.get(name)
        speed = _rounded(min(figures["x"], figures["stream x"])) if figures else "not measured"
        yield (
            f"| `{name}` | {entry.description} | `{entry.media_type}` | {speed} "
            f"| {entry.held_back} | {entry.joined} |"
        )


def _rounded(number: float) -> int:
    """Return the first two digits of a number.

    >>> _rounded(51337)
    51000
    """
    return int(float(f"{number:.2g}"))


TABLES = {
    DOCS / "api" / "native.md": [fields_table],
    DOCS / "formats.md": [formats_table],
    DOCS / "settings.md": [settings_table],
    DOCS / "operations" / "sizing.md": [sizing.slots_table, sizing.cards_table],
}
"""What makes each document's tables, which begin with a head of their own."""


def with_table(text: str, table: list[str]) -> str:
    """Return a document in which the table with the same head is replaced."""
    before, head, rest = text.partition(f"{table[0]}\n")
    if not head:
        raise ValueError(f"no table begins with {table[0]!r}")
    lines = rest.splitlines(keepends=True)
    end = next((n for n, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return before + "".join(f"{line}\n" for line in table) + "".join(lines[end:])


def updated(path: Path) -> str:
    """Return a document with its tables updated."""
    text = path.read_text()
    for make in TABLES[path]:
        text = with_table(text, [_linked(line, path) for line in make()])
    return text


def _linked(line: str, path: Path) -> str:
    """Return a line of a document in which the names of other documents are links."""

    def link(named: re.Match[str]) -> str:
        target = os.path.relpath(DOCS.parent / named[0], path.parent)
        return f"[{named[1]}]({Path(target).as_posix()})"

    return re.sub(r"docs/((?:[\w-]+/)*[\w-]+)\.md", link, line)


if __name__ == "__main__":
    for document in TABLES:
        document.write_text(updated(document))
