"""What a route does, said beside it: `@Operation(...)` under `@routes.get(...)`.

`document.py` makes one document of all of them, and a test holds that no route is without.

Example::

    @routes.get("/speakers")
    @Operation(
        "List the speakers of a model",
        tag="lists",
        query=ModelQuery,
        answers={200: Answer("Its speakers.", SpeakerSchema(many=True))},
        errors=(UnknownModel, ModelUnavailable),
    )
    def speakers() -> Response: ...
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

from qwen_tts_api.errors import (
    ClientLeft,
    CrossSite,
    HostNotAllowed,
    RateLimited,
    TTSError,
    Unauthorized,
)

SchemaLike = Schema | type[Schema] | dict[str, Any]
"""A marshmallow schema, or JSON Schema as it stands in the document."""

View = TypeVar("View", bound=Callable[..., Any])

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
TEXT: dict[str, Any] = {"type": "string"}

EVENT_STREAM = "text/event-stream"
# Of one event: OpenAPI before 3.2 describes a stream of them by each.
_EVENT = {
    "type": "object",
    "properties": {"data": {"type": "string", "contentMediaType": "application/json"}},
    "required": ["data"],
}

# Errors that are no TTSError: of the router, and of what nobody foresaw.
NOT_FOUND = (404, "not_found")
INTERNAL_ERROR = (500, "internal_error")
METHOD_NOT_ALLOWED = (405, "method_not_allowed")

# Which routes answer them depends on their methods and on the settings: `document.py` knows.
_AS_SET_UP = {error.code for error in (Unauthorized, RateLimited, CrossSite, HostNotAllowed)}

_ERROR_HEADERS = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
    504: ("Retry-After",),
}

_ATTRIBUTE = "_operations"


@dataclass(frozen=True)
class Answer:
    """An answer without an error.

    Attributes:
        description: One sentence.
        schema: Of the body, but for events, which have one of their own; None: there is no body.
        media_types: That the body may have.
        headers: Names in `document.HEADERS`; `X-Request-Id` is in every answer.
        others: Media types that the body may also have, each with its schema.
    """

    description: str
    schema: SchemaLike | None = None
    media_types: Iterable[str] = ("application/json",)
    headers: tuple[str, ...] = ()
    others: Mapping[str, SchemaLike] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the response object, with marshmallow's schemas still in it."""
        headers = {name: name for name in (*self.headers, "X-Request-Id")}
        document: dict[str, Any] = {"description": self.description, "headers": headers}
        if self.schema is not None:
            document["content"] = {
                name: {"schema": _EVENT if name == EVENT_STREAM else self.schema}
                for name in self.media_types
            } | {name: {"schema": schema} for name, schema in self.others.items()}
        return document


@dataclass(frozen=True)
class Operation:
    """What one method of a route does; decorates the view, one of several methods several times.

    Attributes:
        summary: What it does, as an imperative of a few words.
        tag: The chapter; one of `document.TAGS`.
        method: GET, POST ...
        description: What else there is to know, in Markdown.
        query: Its parameters in the query; a marshmallow schema. Those in the path come by
            themselves.
        headers: Its parameters in headers; a marshmallow schema.
        body: The schema of each media type that a body may have.
        example: Of a body in JSON.
        answers: By status.
        errors: Errors that it answers; a class stands for its subclasses, too, and `TTSError` for
            all of them. `internal_error`, and what keys and limits bring, are there by themselves.
        error_schema: The schema of the errors' bodies, one of `document.SCHEMAS`.
    """

    summary: str
    _: KW_ONLY
    tag: str
    answers: Mapping[int, Answer]
    method: str = "GET"
    description: str = ""
    query: SchemaLike | None = None
    headers: SchemaLike | None = None
    body: Mapping[str, SchemaLike] = field(default_factory=dict)
    example: Mapping[str, Any] | None = None
    errors: tuple[type[TTSError] | tuple[int, str], ...] = ()
    error_schema: str = "Error"

    def __call__(self, view: View) -> View:
        """Attach the description to a view."""
        vars(view).setdefault(_ATTRIBUTE, {})[self.method.lower()] = self
        return view

    def document(self, more_errors: tuple[type[TTSError], ...] = ()) -> dict[str, Any]:
        """Return the operation object, with marshmallow's schemas still in it.

        Args:
            more_errors: What every route may answer, as the server is set up.
        """
        document: dict[str, Any] = {"summary": self.summary, "tags": [self.tag]}
        if self.description:
            document["description"] = self.description
        places = {"query": self.query, "header": self.headers}
        if parameters := [{"in": place, "schema": s} for place, s in places.items() if s]:
            document["parameters"] = parameters
        if self.body:
            content: dict[str, Any] = {
                media_type: {"schema": schema} for media_type, schema in self.body.items()
            }
            if self.example:
                content["application/json"]["example"] = self.example
            document["requestBody"] = {"content": content}
        document["responses"] = {
            **{str(status): answer.document() for status, answer in self.answers.items()},
            **dict(self._error_responses((*self.errors, *more_errors, INTERNAL_ERROR))),
        }
        return document

    def _error_responses(
        self, errors: Iterable[type[TTSError] | tuple[int, str]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        codes: dict[int, list[str]] = defaultdict(list)
        for error in errors:
            for status, code in [error] if isinstance(error, tuple) else codes_of(error):
                if code not in codes[status] and not (error is TTSError and code in _AS_SET_UP):
                    codes[status].append(code)
        for status, names in sorted((status, names) for status, names in codes.items() if names):
            answer = Answer(
                f"Refused or failed: `{'`, `'.join(names)}`.",
                {"$ref": f"#/components/schemas/{self.error_schema}"},
                ["text/plain" if self.error_schema == "Sentence" else "application/json"],
                headers=_ERROR_HEADERS.get(status, ()),
            ).document()
            if self.error_schema == "Error":
                schema = answer["content"]["application/json"]
                schema["schema"] = {
                    "allOf": [schema["schema"], {"properties": {"code": {"enum": names}}}]
                }
            yield str(status), answer


def operations_of(view: Callable[..., Any]) -> dict[str, Operation]:
    """Return what was said about a view, by method in lower case."""
    operations: dict[str, Operation] = vars(view).get(_ATTRIBUTE, {})
    return operations


def codes_of(error: type[TTSError]) -> Iterator[tuple[int, str]]:
    """Yield status and code of an error class and of all its subclasses, as clients see them."""
    if error is not TTSError and error is not ClientLeft:
        yield error.status, error.code
    for subclass in error.__subclasses__():
        yield from codes_of(subclass)
