"""Coqui's parameters: a value in a header, the query or a form, under Coqui's names.

Each value is taken from the first of header, query and form that has it and is not empty.
"""

from __future__ import annotations

import copy
from typing import Any

from flask import Request
from marshmallow import EXCLUDE, Schema, fields

from qwen_tts_api.errors import NotSupported
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.routes.bodies.body import parse_form, parse_parameters
from qwen_tts_api.routes.bodies.form import decode
from qwen_tts_api.routes.speech.schema import NUMERIC_FIELDS, SpeechSchema, read_number

# Coqui's name in query and form, its header, and our field.
_PARAMETERS = (
    ("text", "text", "text"),
    ("speaker_id", "speaker-id", "speaker"),
    ("language_id", "language-id", "language"),
)
COQUI_NAMES = {ours: name for name, _, ours in _PARAMETERS}
"""Coqui's names of our fields."""

# Ours, for links such as /api/tts?text=Hello&audio_format=ogg; no client of Coqui's sends them.
_EXTENSIONS = sorted(SpeechSchema().fields.keys() - {ours for _, _, ours in _PARAMETERS})


class _Ignoring(Schema):
    """Coqui's server ignores parameters that it does not know."""

    class Meta:
        """Other parameters may come."""

        unknown = EXCLUDE


def _documented(name: str) -> fields.Field[Any]:
    """Return one of our fields as a parameter is: text, which cannot be null."""
    field = copy.copy(SpeechSchema().fields[name])
    field.allow_none = False
    field.attribute = field.data_key = None
    return field


_KNOWN = {name for name, *_ in _PARAMETERS} | {"style_wav", *_EXTENSIONS}

CoquiParameters = _Ignoring.from_dict(
    {
        **{name: _documented(ours) for name, _, ours in _PARAMETERS},
        "style_wav": fields.String(
            metadata={"description": "Empty or a JSON object of style tokens, which is ignored."}
        ),
        **{name: _documented(name) for name in _EXTENSIONS},
    },
    name="CoquiParameters",
)
"""What query and form may have; for the document, since reading is `read_parameters`' work."""

CoquiHeaders = _Ignoring.from_dict(
    {
        **{header: _documented(ours) for _, header, ours in _PARAMETERS},
        "style-wav": fields.String(metadata={"description": "As `style_wav`."}),
    },
    name="CoquiHeaders",
)
"""What headers may have instead."""


def read_parameters(
    request: Request, body: bytes
) -> tuple[dict[str, str | float | bytes], list[str]]:
    """Return the values by the names of our fields, and the names of parameters that are ignored.

    Args:
        request: A GET, whose body does not count, or a POST that is not JSON.
        body: The body of a POST.

    Raises:
        InvalidRequest: The form is malformed.
        NotSupported: `style_wav` names a file on the server.
    """
    form = parse_form(request, body)
    query = parse_parameters(request.query_string)

    def value(name: str, header: str | None) -> str:
        # WSGI hands the bytes of headers over as Latin-1.
        from_header = decode(request.headers.get(header, "").encode("latin-1")) if header else ""
        return from_header or query.get(name, "") or form.fields.get(name, "")

    values: dict[str, str | float | bytes] = {}
    for name, header, our_name in _PARAMETERS:
        values[our_name] = value(name, header)
    for name in _EXTENSIONS:
        given = value(name, None)
        values[name] = read_number(given) if name in NUMERIC_FIELDS else given
    if form.files.get("ref_audio"):
        values["ref_audio"] = form.files["ref_audio"]
    ignored = _check_style(value("style_wav", "style-wav"))
    ignored += [name for name in {**query, **form.fields} if name not in _KNOWN]
    return {name: given for name, given in values.items() if given != ""}, ignored


def _check_style(style: str) -> list[str]:
    """Refuse a path, which would be one on the server; a style token dictionary has no meaning."""
    if not style:
        return []
    try:
        is_tokens = isinstance(strict_json.parse(style), dict)
    except ValueError:
        is_tokens = False
    if not is_tokens:
        raise NotSupported(
            "'style_wav' may not name a file on the server; leave it empty.",
            fields={"style_wav": ["Must be empty or a JSON object of style tokens."]},
        )
    return ["style_wav"]
