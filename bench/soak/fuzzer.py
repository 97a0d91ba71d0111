"""A fuzzer: sends valid and invalid requests to every operation of `/openapi.json`.

`python -m bench.soak.fuzzer URL SEED FAULTS`, a process of its own, since making requests is hard
work. Each line is JSON: when it asked (by `time.monotonic`), the operation, the status (0: the
connection broke) and what is wrong with the answer, if anything.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.errors import LoaderError
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from bench.soak.target import EXCUSED, TIMEOUT_S

EXAMPLES = 3
"""Of each operation before the next one has its turn."""

START_TIMEOUT_S = 60
"""Of a server that restarts."""

CHECKS = [
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.allow_header_conformance,
    openapi_checks.unsupported_method,
]


def main() -> None:
    """Fuzz until the process is killed."""
    os.nice(10)  # making requests takes as much of a core as answering them
    url, first_seed, faults = sys.argv[1], int(sys.argv[2]), sys.argv[3] != "0"
    operations = _read_operations(url)
    for number in range(1 << 30):
        for operation in operations:
            for mode in GenerationMode:
                if mode is GenerationMode.POSITIVE or operation.query or operation.body:
                    _fuzz(operation, mode, first_seed + number, faults=faults)


def _read_operations(url: str) -> list[Any]:
    """Return what the document has; the server may be restarting just then."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            api = schemathesis.openapi.from_url(f"{url}/openapi.json", timeout=TIMEOUT_S)
        except LoaderError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return [found.ok() for found in api.get_all_operations() if isinstance(found, Ok)]


def _fuzz(operation: Any, mode: GenerationMode, number: int, *, faults: bool) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        asked_at = time.monotonic()
        status, wrong = _ask(case, mode, faults=faults)
        print(json.dumps([asked_at, operation.label, status, wrong]), flush=True)

    ask()


def _ask(case: schemathesis.Case[Any], mode: GenerationMode, *, faults: bool) -> tuple[int, str]:
    """Send one request; return its status and what is wrong with the response."""
    try:
        answer = case.call(timeout=TIMEOUT_S)
    except requests.exceptions.ChunkedEncodingError:
        return 0, "" if faults else "the answer broke off"
    except requests.RequestException as error:
        return 0, f"connection: {type(error).__name__}"
    status = answer.status_code
    if status == 500 and faults and b"cause is in the server's log" in answer.content:
        return status, ""
    checks = [*CHECKS]
    if status not in EXCUSED:
        checks.append(schemathesis.checks.not_a_server_error)
        may_be_valid = _has_empty_field(case) or _leaves_out(case.query)
        if mode is GenerationMode.NEGATIVE and not may_be_valid:
            checks.append(openapi_checks.negative_data_rejection)
    try:
        case.validate_response(answer, checks=checks)
    except (Exception, FailureGroup) as error:  # the group of failures is no Exception
        return status, f"{error!r}: {error}"[:2000]
    return status, ""


def _has_empty_field(case: schemathesis.Case[Any]) -> bool:
    """Return whether a form's field is empty, which is its default; OpenAPI has no word for it."""
    is_form = case.media_type != "application/json"
    return is_form and isinstance(case.body, dict) and "" in case.body.values()


def _leaves_out(query: Any) -> bool:
    """Return whether a query has a value of which nothing is sent: null, or an empty list."""
    return bool(query) and any(value is None or value in ([], {}) for value in query.values())


if __name__ == "__main__":
    main()
