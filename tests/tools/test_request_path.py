"""How much of the package one reads in order to know what happens to a request."""

from __future__ import annotations

import pytest

from tools.request_path import Part, RequestPath, figures, trace_request

MAX_FILES_UNTIL_QUEUED = 43
MAX_CHANGES_UNTIL_QUEUED = 72
MAX_FILES_UNTIL_ANSWERED = 49
"""What there are: whoever makes it fewer lowers these, and nobody raises them in passing."""


@pytest.fixture(scope="module")
def path() -> RequestPath:
    return trace_request()


def test_a_request_enters_few_files(path: RequestPath) -> None:
    """`python -m tools.request_path` lists them."""
    numbers = figures(path)
    assert numbers["files until queued"] <= MAX_FILES_UNTIL_QUEUED, path.queueing.files
    assert numbers["changes of file until queued"] <= MAX_CHANGES_UNTIL_QUEUED
    assert numbers["files until answered"] <= MAX_FILES_UNTIL_ANSWERED, path.answering.files


def test_the_way_leads_from_the_routes_to_the_engine_and_back(path: RequestPath) -> None:
    """Else it is not the request's: the thread that computes has a way of its own."""
    folders = [file.partition("/")[0] for file in path.queueing.files]
    assert folders[0] == "routes"
    assert folders[-1] == "engine"
    assert {"service", "audio"} <= set(folders)
    assert path.answering.files[-1].startswith("routes/")
    assert any(file.startswith("model/") for file in path.computing.files)
    assert not any(file.startswith("routes/") for file in path.computing.files)


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
