"""The tree of errors: what each class adds, and what a client sees of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from qwen_tts_api.errors import NothingToSay, TTSError
from tests.rows import for_each

PACKAGE = Path(__file__).resolve().parent.parent / "qwen_tts_api"


def tree(error: type[TTSError]) -> Iterator[type[TTSError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from tree(subclass)


def test_every_error_has_a_code_of_its_own() -> None:
    """Else a client could not tell it from its parent; only NothingToSay is for us alone."""
    codes = Counter(error.code for error in tree(TTSError) if error is not NothingToSay)
    assert set(codes.values()) == {1}
    assert TTSError.code not in codes


def test_every_error_is_raised() -> None:
    """Or is the parent of some: a code that nobody meets is none to tell of."""
    paths = set(PACKAGE.rglob("*.py")) - {PACKAGE / "errors.py"}
    modules = [path.read_text() for path in paths]
    for error in tree(TTSError):
        is_raised = any(re.search(rf"\b{error.__name__}\(", module) for module in modules)
        assert is_raised or error.__subclasses__(), error


@for_each("error", [*tree(TTSError)])
def test_every_error_says_what_it_is(error: type[TTSError]) -> None:
    """A status, a word, a sentence; what may be tried again says when."""
    assert 400 <= error.status < 600
    assert error.code.replace("_", "").isalpha()
    assert error.__doc__ != TTSError.__doc__
    if error.status == 503:
        assert error("It is so.").retry_after_s
