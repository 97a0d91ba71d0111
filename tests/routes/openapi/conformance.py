"""Requests that are drawn from `/openapi.json`, and answers that have to be as it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import given, settings
from schemathesis.core import NotSet
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks
from werkzeug.wsgi import ClosingIterator

from bench.soak import fuzzer
from tests.conftest import Bench

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "multipart/form-data"

# Not that what fits the schemas is accepted: which speaker a model has, no schema says.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.negative_data_rejection,
    *fuzzer.CHECKS,
]


# What no schema knows: the names that the models have, and the rates that the formats have; and
# which forms of a text exclude each other.
NAMES = (
    *("model", "speaker", "speaker_id", "language", "language_id", "style_wav"),
    *("turns", "ssml", "speaker_marks", "pause_marks", "pronunciations", "non_streaming_mode"),
    *("audio_format", "sample_rate", "ref_audio", "ref_text", "x_vector_only_mode", "instruct"),
)


def leave_out_names(part: Any) -> None:
    """Take the names out of a query or body, and put a text in."""
    if isinstance(part, dict):
        part.update(text="Hello")
        for name in NAMES:
            part.pop(name, None)
        for name in list(part):
            if not name.isidentifier() or isinstance(part[name], dict):
                del part[name]  # not every one can be the name of a form's part


def whole_answers(app: WSGIApplication) -> WSGIApplication:
    """Return an application whose answers are read and closed, which Schemathesis does not do."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with closing(ClosingIterator(app(environ, start_response))) as parts:
            return list(parts)

    return answer


def check(bench: Bench, kind: str, *, names: bool = True, path: str = "") -> Counter[int]:
    """Send what the document allows, or what it does not; return how often each status came.

    Args:
        bench: The application and its models.
        kind: Which of the two: "positive" or "negative".
        names: Whether to send names and texts, too, most of which mean nothing.
        path: The only one that is asked; all if empty.
    """
    mode = GenerationMode(kind)
    statuses: Counter[int] = Counter()
    api = schemathesis.openapi.from_wsgi("/openapi.json", whole_answers(bench.client.application))
    api.config.update(base_url="http://localhost/")
    for found in api.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue  # there is nothing that could be wrong
        if path not in ("", operation.path):
            continue

        @settings(max_examples=20, derandomize=True, database=None, deadline=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            if case.media_type == FORM and not isinstance(case.body, (dict, NotSet)):
                return  # Schemathesis makes forms that are not even objects, but cannot send them
            if not names:
                case.headers.clear()
                for part in (case.query, case.body):
                    leave_out_names(part)
            statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

        ask()
    return statuses


def ask(bench: Bench, path: str, body: Any) -> Response:
    """POST a body, and return the answer."""
    api = schemathesis.openapi.from_wsgi("/openapi.json", whole_answers(bench.client.application))
    case = api[path]["POST"].Case(body=body, media_type="application/json")
    return case.call_and_validate(base_url="http://localhost/", checks=CHECKS)
