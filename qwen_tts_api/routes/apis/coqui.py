"""Parse the parameters of the Coqui-compatible API, in headers, query or form.

Each value is taken from the first of header, query and form that has it and is not empty.
"""

from __future__ import annotations

from flask import Request

from qwen_tts_api.errors import NotSupported
from qwen_tts_api.routes.bodies import strict_json
from qwen_tts_api.routes.bodies.body import RECORDINGS, parse_form, parse_parameters
from qwen_tts_api.routes.bodies.form import decode
from qwen_tts_api.routes.speech.parameters import (
    ParameterNames,
    described,
    documented_field,
    first_given,
    headers_schema,
)
from qwen_tts_api.service.request import SpeechRequest

COQUI_NAMES = {"text": "text", "speaker": "speaker_id", "language": "language_id"}
"""Coqui's names of our fields.

All fields are there by our names, too, for links such as /api/tts?text=Hello&speaker=Ryan: the path
is that of the native API.
"""

_STYLE = "style_wav"
COQUI_HEADERS = {name: name.replace("_", "-") for name in (*COQUI_NAMES.values(), _STYLE)}
"""The headers that give a parameter, by its name."""

_PARAMETERS = ParameterNames(COQUI_NAMES)

CoquiParameters = _PARAMETERS.schema(
    "CoquiParameters",
    style_wav=described("Empty or a JSON object of style tokens, which is ignored."),
    speaker=described("As `speaker_id`, which goes before it."),
    language=described("As `language_id`, which goes before it."),
)
"""The parameters of query and form, for the OpenAPI document; `read_parameters` parses them."""

CoquiHeaders = headers_schema(
    "CoquiHeaders",
    {
        **{COQUI_HEADERS[name]: documented_field(ours) for ours, name in COQUI_NAMES.items()},
        COQUI_HEADERS[_STYLE]: described(f"As `{_STYLE}`."),
    },
)
"""The same in headers, for the OpenAPI document."""


def read_parameters(request: Request, body: bytes) -> tuple[SpeechRequest, list[str]]:
    """Return the request, and the names of parameters that are ignored.

    Args:
        request: A GET, or a POST that is not JSON.
        body: The body of a POST.

    Raises:
        InvalidRequest: The form is malformed, or a field has the wrong type.
        NotSupported: `style_wav` names a file on the server.
    """
    form = parse_form(request, body)
    # WSGI decodes headers as Latin-1.
    headers = {
        name: decode(request.headers.get(header, "").encode("latin-1"))
        for name, header in COQUI_HEADERS.items()
    }
    # As of `curl -F text=@chapter.txt`.
    texts = {
        name: decode(data) for name, data in form.files.items() if name not in (*RECORDINGS, _STYLE)
    }
    given = first_given(headers, parse_parameters(request.query_string), form.fields, texts)
    for ours, name in COQUI_NAMES.items():
        if not given.get(name) and given.get(ours):
            given[name] = given.pop(ours)
    ignored = _check_style(given.pop(_STYLE))
    others = (name for name in form.files if name not in texts)
    ignored += [name for name in (*given, *others) if name not in _PARAMETERS]
    return _PARAMETERS.read(given, form.files), ignored


def _check_style(style: str) -> list[str]:
    """Refuse a path on the server; return `style_wav` as ignored if it has style tokens."""
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
