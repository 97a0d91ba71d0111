"""`/openapi.json`, made of what each route says about itself, and `/docs`, which shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import flask_swagger_ui
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, Response, current_app
from marshmallow import fields
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from qwen_tts_api import __version__
from qwen_tts_api.audio.provenance import SOURCE_TYPE
from qwen_tts_api.config import Config
from qwen_tts_api.errors import CrossSite, HostNotAllowed, RateLimited, TTSError, Unauthorized
from qwen_tts_api.routes.openapi.error_schemas import SCHEMAS
from qwen_tts_api.routes.openapi.operations import (
    BINARY,
    NOT_FOUND,
    TEXT,
    Answer,
    Operation,
    operations_of,
)
from qwen_tts_api.routes.page.assets import send_asset, send_page
from qwen_tts_api.routes.request_log import PROBES
from qwen_tts_api.routes.security.authentication import is_open
from qwen_tts_api.routes.security.origins import SAFE_METHODS

TAGS = {
    "speech": "Text in, audio out.",
    "openai": "The OpenAI-compatible API.",
    "elevenlabs": "The ElevenLabs-compatible API.",
    "marytts": "The MaryTTS-compatible API.",
    "lists": "What may be asked for.",
    "health": "For orchestrators.",
    "pages": "For people.",
}

HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Accept-Ranges": ("`bytes` where `Range` may ask for a part.", {"type": "string"}),
    "Content-Range": ("Which part it is, and of how many bytes.", {"type": "string"}),
    "ETag": ("Of this very audio, for `If-Range`.", {"type": "string"}),
    "X-Request-Id": ("The request's own id, or one made for it.", {"type": "string"}),
    "X-Audio-Duration": ("Seconds of audio.", {"type": "number"}),
    "X-RTF": ("The model's seconds per second of audio.", {"type": "number"}),
    "X-Queue-Time": ("Seconds in the queue.", {"type": "number"}),
    "X-Seed": ("The seed that makes the same audio again.", {"type": "integer"}),
    "X-Sample-Rate": ("Of the audio, in Hz.", {"type": "integer"}),
    "X-Segments": ("How many utterances the text is spoken in.", {"type": "integer"}),
    "X-Digital-Source-Type": (
        "IPTC's term for what a trained model has made; absent with `QWEN_MARK_AUDIO=0`.",
        {"type": "string", "const": SOURCE_TYPE},
    ),
    "X-Text-Chars": ("Characters that are spoken.", {"type": "integer"}),
    "X-Text-Changes": (
        "How often something was taken out of the text, by kind: `markup=2, emoji=1`.",
        {"type": "string"},
    ),
    "X-Model": ("The model that spoke.", {"type": "string"}),
    "X-Finish-Reason": (
        "`stop`; `length` where the frame budget ended the audio, `loop` where the model repeated "
        "itself.",
        {"type": "string", "enum": ["stop", "length", "loop", "nothing_to_say"]},
    ),
    "X-Ignored-Parameters": ("Parameters that mean nothing here.", {"type": "string"}),
    "Server-Timing": ("Milliseconds of queue, model and encoder.", {"type": "string"}),
    "WWW-Authenticate": ("`Bearer`.", {"type": "string"}),
    "X-Accel-Buffering": ("`no`, on a stream: proxies are to pass it on.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer"}),
    "Location": ("Where it is.", {"type": "string"}),
    "Allow": ("The methods of the path.", {"type": "string"}),
}


_VIEWER = Path(flask_swagger_ui.__file__).parent / "dist"
_VIEWER_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")


def blueprint(config: Config) -> Blueprint:
    """Return the routes of the document and of the page that shows it, without any network."""
    routes = Blueprint("openapi", __name__, template_folder="templates")

    @cache
    def document(app: Flask) -> dict[str, Any]:
        return describe(app, config)

    @routes.get("/openapi.json")
    @Operation(
        "This document",
        tag="pages",
        answers={200: Answer("OpenAPI 3.1.", {"type": "object"})},
    )
    def openapi() -> dict[str, Any]:
        return document(current_app._get_current_object())  # type: ignore[attr-defined]

    @routes.get("/docs")
    @Operation(
        "Read this document in a browser",
        tag="pages",
        answers={200: Answer("The page.", TEXT, ["text/html"])},
    )
    def docs() -> Response:
        # Swagger UI sets style attributes and has its icons as data URLs.
        return send_page(
            "docs.html", {}, style_src="'self' 'unsafe-inline'", img_src="'self' data:"
        )

    @routes.get("/docs/<path:name>")
    @Operation(
        "A part of that page",
        tag="pages",
        answers={200: Answer("The file.", BINARY, ["text/javascript", "text/css"])},
        errors=(NOT_FOUND,),
    )
    def docs_file(name: str) -> Response:
        if name not in _VIEWER_FILES:
            raise NotFound
        return send_asset(_VIEWER, name)

    return routes


def describe(app: Flask, config: Config) -> dict[str, Any]:
    """Return the OpenAPI document of an application's routes, with what its settings ask for."""
    marshmallow = MarshmallowPlugin(schema_name_resolver=_schema_name)
    spec = APISpec(
        title="qwen-tts-api",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[marshmallow],
        info={
            "description": "Speech from Qwen3-TTS. A page to try it is at [the root](./).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        servers=[{"url": "./", "description": "This server."}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    assert marshmallow.converter is not None  # the spec has made it
    marshmallow.converter.add_parameter_attribute_function(_allow_empty)
    for name, (description, schema) in HEADERS.items():
        spec.components.header(name, {"description": description, "schema": schema})
    for name, error_schema in SCHEMAS.items():
        if isinstance(error_schema, dict):
            spec.components.schema(name, component=error_schema)
        else:
            spec.components.schema(name, schema=error_schema)
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if operations := operations_of(app.view_functions[rule.endpoint]):
            spec.path(
                path=path_of(rule),
                operations={
                    method: {
                        "operationId": f"{rule.endpoint.replace('.', '_')}_{method}",
                        **_document(described, config, rule, method),
                    }
                    for method, described in operations.items()
                },
                parameters=[
                    {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
                    for name in sorted(rule.arguments)
                ],
            )
    document = spec.to_dict()
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                for parameter in operation.get("parameters", []):
                    _describe_as_json(parameter)
    return document


def _describe_as_json(parameter: dict[str, Any]) -> None:
    """Say of a parameter whose value is a list or an object that it is written as JSON.

    Without it OpenAPI has a client write each item or property as a parameter of its own.
    """
    schema = parameter.get("schema", {})
    if (kind := schema.get("type")) in ("array", "object"):
        del parameter["schema"]
        as_json = {**schema, "type": [kind, "null"]}
        parameter["content"] = {"application/json": {"schema": as_json}}


def _document(described: Operation, config: Config, rule: Rule, method: str) -> dict[str, Any]:
    guarded = method != "options" and not is_open(rule.rule)
    needs_key = guarded and config.api_keys_file is not None
    writes = method.upper() not in SAFE_METHODS
    may_happen: dict[type[TTSError], bool] = {
        Unauthorized: needs_key,
        RateLimited: guarded and bool(config.rate_limit),
        CrossSite: writes,
        HostNotAllowed: writes or (bool(config.allowed_hosts) and rule.rule not in PROBES),
    }
    more_errors = tuple(error for error, happens in may_happen.items() if happens)
    security: dict[str, Any] = {"security": [{"key": []}]} if needs_key else {}
    return {**described.document(more_errors), **security}


def _allow_empty(
    _converter: object, field: fields.Field[Any], *, ret: Mapping[str, Any]
) -> dict[str, bool]:
    """Allow an empty value in the schema of a query parameter: it means the default."""
    is_text = isinstance(field, fields.String)
    return {"allowEmptyValue": True} if ret["in"] == "query" and not is_text else {}


def path_of(rule: Rule) -> str:
    """Return a rule's path as OpenAPI writes it.

    >>> from werkzeug.routing import Rule
    >>> path_of(Rule("/static/<path:name>"))
    '/static/{name}'
    """
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _schema_name(schema: Any) -> str:
    """Name a component after its class, without the suffix."""
    cls = schema if isinstance(schema, type) else type(schema)
    return str(cls.__name__).removeprefix("_").removesuffix("Schema")
