"""How much of the package one reads in order to know what happens to a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools.request_path import Part, figures, trace_request, trace_tree

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent

MAX_FILES_UNTIL_QUEUED = 26
MAX_CHANGES_UNTIL_QUEUED = 41
MAX_FILES_UNTIL_ANSWERED = 35
"""What there are: whoever makes it fewer lowers these, and nobody raises them in passing."""


@pytest.fixture(scope="module")
def trace() -> dict[str, Any]:
    return trace_tree(ROOT)


def test_a_request_enters_few_files(trace: dict[str, Any]) -> None:
    """`python -m tools.request_path` lists them."""
    numbers = trace["figures"]
    assert numbers["files until queued"] <= MAX_FILES_UNTIL_QUEUED, trace["queueing"]
    assert numbers["changes of file until queued"] <= MAX_CHANGES_UNTIL_QUEUED
    assert numbers["files until answered"] <= MAX_FILES_UNTIL_ANSWERED, trace["answering"]


def test_the_path_leads_from_the_routes_to_the_engine_and_back(trace: dict[str, Any]) -> None:
    """Else it is not the request's: the thread that computes has a path of its own."""
    queueing, answering, computing = (
        [file.partition("/")[0] for file in trace[part]]
        for part in ("queueing", "answering", "computing")
    )
    assert queueing[0] == "routes"
    assert queueing[-1] == "engine"
    assert "service" in queueing
    assert "audio" in answering
    assert answering[-1] == "routes"
    assert "model" in computing
    assert "routes" not in computing


def test_a_function_is_read_once() -> None:
    """Loops, generators and comprehensions do not change the file that one is in."""
    part = Part()
    for file, code in [
        ("a.py", test_a_request_enters_few_files.__code__),
        ("b.py", figures.__code__),
        ("a.py", test_a_request_enters_few_files.__code__),
        ("b.py", trace_request.__code__),
    ]:
        part.enter(file, code)
    assert part.files == ["a.py", "b.py"]
    assert [name for _, name in part.functions] == [
        "test_a_request_enters_few_files",
        "figures",
        "trace_request",
    ]
    assert part.num_changes == 1
