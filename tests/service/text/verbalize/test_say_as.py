"""SSML's `say-as`."""

from __future__ import annotations

import pytest

from qwen_tts_api.service.text.verbalize.say_as import say_as
from tests.rows import for_each


@for_each(
    ("text", "interpret_as", "said"),
    [
        ("12", "ordinal", "twelfth"),
        ("IV", "ordinal", "fourth"),
        ("1984", "cardinal", "one thousand nine hundred eighty-four"),
        ("-3.5", "number", "minus three point five"),
        ("FBI", "characters", "F B I"),
        ("a-1", "spell-out", "A dash one"),
        ("2026", "digits", "two zero two six"),
        ("555 1234", "telephone", "five five five, one two three four"),
        ("1 3/4", "fraction", "one and three quarters"),
        ("14:30", "time", "fourteen thirty"),
        ("5km", "unit", "five kilometers"),
        ("$5", "currency", "five dollars"),
        ("5 apples", "cardinal", "five apples"),  # does not look like it says
        ("5", "something", "five"),
        ("", "characters", ""),
    ],
)
def test_what_is_asked_for_is_said(text: str, interpret_as: str, said: str) -> None:
    assert say_as(text, interpret_as, "English") == said


@for_each(
    ("text", "order", "said"),
    [
        ("28/11/2026", "dmy", "November twenty-eighth, twenty twenty-six"),
        ("11.12.26", "mdy", "November twelfth, twenty twenty-six"),
        ("20261128", "ymd", "November twenty-eighth, twenty twenty-six"),
        ("11-2026", "my", "November twenty twenty-six"),
        ("11/28", "md", "November twenty-eighth"),
        ("2026", "y", "twenty twenty-six"),
    ],
)
def test_the_order_of_a_date_is_told(text: str, order: str, said: str) -> None:
    assert say_as(text, "date", "Auto", order) == said


@pytest.mark.parametrize("order", ["xyz", "mmd", "dmydmy"])
def test_an_order_that_is_none_is_passed_over(order: str) -> None:
    said = say_as("11/28/2026", "date", "English", order)
    assert said == "November twenty-eighth, twenty twenty-six"


def test_other_languages_are_left_to_the_model() -> None:
    assert say_as("5", "cardinal", "Japanese") == "5"
