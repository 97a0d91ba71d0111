"""`/openapi.json`: every route and nothing else, valid, and what the server does."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.routing import Rule

from qwen_tts_api.errors import ClientLeft, RateLimited, TTSError, Unauthorized
from qwen_tts_api.routes.openapi.document import path_of
from tests.conftest import Bench

Document = dict[str, Any]

# Those that Flask adds by itself to a route that has GET.
AUTOMATIC = {"HEAD", "OPTIONS"}


@pytest.fixture
def document(client: FlaskClient) -> Document:
    """Return what is served."""
    response = client.get("/openapi.json")
    assert response.mimetype == "application/json"
    body: Document = response.get_json()
    return body


def operations(document: Document) -> list[tuple[str, str, Document]]:
    """Return path, method and description of every operation."""
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_the_document_is_valid(document: Document) -> None:
    """OpenAPI 3.1; the validator collects what is wrong."""
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_the_document_and_nothing_else(
    client: FlaskClient, document: Document
) -> None:
    """What to do about a failure: `@Operation(...)` right under `@routes.get(...)`."""
    app: Flask = client.application
    described = {(path, method.upper()) for path, method, _ in operations(document)}
    routed = {(path_of(rule), method): rule for rule in rules(app) for method in methods_of(rule)}
    for (path, method), rule in routed.items():
        view = app.view_functions[rule.endpoint]
        if method not in AUTOMATIC:
            assert (path, method) in described, (
                f"{method} {path} is not in the document: put @Operation(..., method={method!r}) "
                f"of qwen_tts_api.routes.openapi.operations under the route of {view.__module__}."
                f"{view.__name__}"
            )
    assert described <= set(routed)


def rules(app: Flask) -> list[Rule]:
    """Return the routes of an application."""
    return list(app.url_map.iter_rules())


def methods_of(rule: Rule) -> set[str]:
    """Return the methods that a route takes."""
    return rule.methods or set()


def test_operation_ids_do_not_change(document: Document) -> None:
    """Generated clients name their methods by them, whatever the modules here are called."""
    ids = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        if "operationId" in operation
    }
    assert ids >= {
        *("health_healthz_get", "health_readyz_get", "metrics_exposition_get", "page_page_get"),
        *("tts_synthesize_get", "tts_synthesize_post", "models_models_get", "openai_speech_post"),
        *("speakers_speakers_get", "speakers_add_post", "marytts_process_get"),
    }


def test_every_error_of_the_tree_is_in_the_document(document: Document) -> None:
    """Each code that a client may see, in the envelope and at synthesis with its status."""

    def tree(error: type[TTSError]) -> list[type[TTSError]]:
        return [error, *(found for child in error.__subclasses__() for found in tree(child))]

    responses = document["paths"]["/api/tts"]["post"]["responses"]
    codes = document["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
    for error in set(tree(TTSError)) - {ClientLeft}:
        assert error.code in codes
    for error in set(tree(TTSError)) - {ClientLeft, RateLimited, Unauthorized}:
        assert error.code in responses[str(error.status)]["description"], error


def test_the_document_says_what_the_settings_ask_for(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """Keys and a limit, where there are any, for all but what is open to everybody."""
    keys = tmp_path / "keys"
    keys.write_text("alice-0123456789abcdef")
    paths = (
        make_bench(api_keys_file=keys, rate_limit=9).client.get("/openapi.json").get_json()["paths"]
    )
    assert paths["/speakers"]["get"]["security"] == [{"key": []}]
    assert {"401", "429"} <= set(paths["/speakers"]["get"]["responses"])
    for path, method in (("/", "get"), ("/readyz", "get"), ("/api/tts", "options")):
        assert "security" not in paths[path][method]
        assert "401" not in paths[path][method]["responses"]
    paths = make_bench().client.get("/openapi.json").get_json()["paths"]
    assert "security" not in paths["/speakers"]["get"]
    for path, method, operation in operations({"paths": paths}):
        assert "401" not in operation["responses"], (path, method)


def test_every_header_of_speech_is_in_the_document(client: FlaskClient, document: Document) -> None:
    """Whole and streamed: schemathesis asks only whether what is described is there."""
    described = set(document["paths"]["/api/tts"]["post"]["responses"]["200"]["headers"])
    for fields in ({}, {"stream": True}):
        response = client.post("/api/tts", json={"text": "Hello", **fields})
        given = {name for name, _ in response.headers if name.startswith(("X-", "Server-"))}
        assert given <= described


def test_everything_is_described(document: Document) -> None:
    """Every operation has a summary and a chapter, every field and parameter a description."""
    chapters = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert set(operation["tags"]) <= chapters, (path, method)
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])
    for name, schema in document["components"]["schemas"].items():
        for field, what in schema.get("properties", {}).items():
            assert what.get("description"), f"{name}.{field}: metadata={{'description': ...}}"


def test_docs_shows_the_document_without_a_network(client: FlaskClient) -> None:
    """A page with a policy, and Swagger UI from the package; nothing else of its folder."""
    response = client.get("/docs")
    assert response.mimetype == "text/html"
    assert "script-src 'self';" in response.headers["Content-Security-Policy"]
    for link, mimetype in (
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
    ):
        assert f'"docs/{link}"' in response.text
        with client.get(f"/docs/{link}") as file:
            assert file.mimetype == mimetype
    for name in ("index.css", "../flask_swagger_ui.py", "nothing"):
        assert client.get(f"/docs/{name}").status_code == 404


@pytest.fixture
def conformance() -> ModuleType:
    """Return what draws requests: it takes a second to import, and this file is read by all."""
    return importlib.import_module("tests.routes.openapi.conformance")


@pytest.mark.slow
def test_what_the_document_allows_is_answered_as_it_says(
    bench: Bench, conformance: ModuleType
) -> None:
    """Status, media type, headers and body of every answer; no server error.

    Which of the documented statuses come (a 409 for a name that was drawn twice) depends on every
    literal in the code, of which Hypothesis makes values: so only that speech comes is asked for.
    """
    assert {200, 400} <= set(conformance.check(bench, "positive"))


@pytest.mark.parametrize("path", ["/api/tts?text=Hi.&", "/process?INPUT_TEXT=Hi.&"])
def test_an_empty_parameter_is_valid(client: FlaskClient, document: Document, path: str) -> None:
    """It has its default; the document says so of whatever is no text."""
    parameters = document["paths"][path.partition("?")[0]]["get"]["parameters"]
    allowed = [each["name"] for each in parameters if each.get("allowEmptyValue")]
    assert {"normalize", "seed", "speed"} <= {*allowed}
    assert "text" not in allowed
    for name in allowed:
        assert client.get(f"{path}{name}=").status_code == 200, name


@pytest.mark.parametrize("path", ["/api/tts?text=Hi.&", "/process?INPUT_TEXT=Hi.&"])
def test_lists_and_objects_in_a_query_are_described_as_json(
    client: FlaskClient, document: Document, path: str
) -> None:
    """A client that is generated from the document sends them as the server reads them."""
    parameters = document["paths"][path.partition("?")[0]]["get"]["parameters"]
    as_json = {each["name"]: each["content"] for each in parameters if "content" in each}
    assert {*as_json} == {"turns", "pronunciations"}
    for name, content in as_json.items():
        assert content["application/json"]["schema"]["type"][0] in ("array", "object")
        assert client.get(f"{path}{name}=null").status_code == 200
    written = quote(json.dumps({"Hi": "High"}))
    assert client.get(f"{path}pronunciations={written}").status_code == 200


def test_events_are_as_the_document_says(bench: Bench, conformance: ModuleType) -> None:
    """Each event of a stream, whichever requests are drawn."""
    body: Any = {"input": "Hello.", "voice": "alloy", "stream_format": "sse"}
    answer = conformance.ask(bench, "/v1/audio/speech", body)
    assert answer.headers["content-type"][0].startswith("text/event-stream")


def test_a_parameter_is_never_null(document: Document) -> None:
    """It is text, where it is not JSON: `null` would be four letters."""
    given = dict(document["components"]["schemas"]["CoquiParameters"]["properties"])
    for path in ("/api/tts", "/process"):
        for parameter in document["paths"][path]["get"]["parameters"]:
            given[parameter["name"]] = parameter.get("schema", {})
    assert {"normalize", "seed"} <= set(given)
    for name, schema in given.items():
        assert None not in schema.get("enum", ()), name
        assert "null" not in schema.get("type", ()), name


def test_every_number_that_the_document_allows_is_accepted(
    bench: Bench, conformance: ModuleType
) -> None:
    """However it is written."""
    statuses = conformance.check(bench, "positive", names=False, path="/api/tts")
    assert set(statuses) == {200}


@pytest.mark.slow
def test_what_the_document_does_not_allow_is_refused(bench: Bench, conformance: ModuleType) -> None:
    """Wrong types, values outside their range, unknown fields: `negative_data_rejection`."""
    assert 400 in conformance.check(bench, "negative")
