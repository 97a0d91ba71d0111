"""The bounds of a JSON document: how many values it has, and how long a number is."""

from __future__ import annotations

import json

import pytest

from qwen_tts_api.routes.bodies.strict_json import MAX_NUMBER_CHARS, MAX_VALUES, parse


@pytest.mark.parametrize("pad", ["", " " * 5000])
def test_a_document_has_as_many_values_as_it_may(pad: str) -> None:
    """The list is one; long documents are scanned otherwise than short ones."""
    fitting = [111] * (MAX_VALUES - 1)
    assert parse(json.dumps(fitting) + pad) == fitting
    with pytest.raises(ValueError, match=f"more than {MAX_VALUES} values"):
        parse(json.dumps([*fitting, 111]) + pad)


def test_a_number_has_as_many_characters_as_it_may() -> None:
    fitting = "1" * MAX_NUMBER_CHARS
    assert parse(fitting) == int(fitting)
    with pytest.raises(ValueError, match=f"more than {MAX_NUMBER_CHARS} characters"):
        parse(fitting + "1")
