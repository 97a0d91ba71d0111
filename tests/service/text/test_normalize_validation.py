"""A text is checked first, then normalized, unless the request says otherwise."""

from __future__ import annotations

import contextlib
import sys
import time
import unicodedata
from types import FrameType
from typing import Any

import pytest

from qwen_tts_api.config.model_settings import MAX_INSTRUCT_CHARS
from qwen_tts_api.errors import InvalidRequest, TextRequired, TextTooLong, UnspeakableText
from qwen_tts_api.service.text.normalize import (
    SPOKEN_SIGNS,
    check_instruct,
    has_words,
    prepare_text,
)
from qwen_tts_api.service.text.segments import split
from tests.rows import for_each


@for_each(
    "text",
    [
        "😀",
        "**",
        "...",
        "<br>",
        "<speak></speak>",
        "\u200b😀!",
        "```\n```",
        "♥",
        "♪ ♫",
        "→",
        "|",
        "_",
    ],
)
def test_a_text_without_anything_to_say_is_refused(text: str) -> None:
    with pytest.raises(UnspeakableText, match="only punctuation"):
        prepare_text(text, 100, normalize=True)


@for_each("text", ["a", "7", "北", "€", "+", "½", "*a*", *"%&$#=@°"])
def test_a_letter_number_or_sign_is_enough(text: str) -> None:
    assert prepare_text(text, 100, normalize=True).text == text.strip("*")


@pytest.mark.slow
def test_what_counts_as_something_to_say() -> None:
    """By one rule, for every character of Unicode: letters, numbers, currencies, a few signs."""
    spoken: dict[str, set[str]] = {}
    silent: dict[str, set[str]] = {}
    for char in map(chr, range(sys.maxunicode + 1)):
        found = spoken if has_words(f" {char}.") else silent
        found.setdefault(unicodedata.category(char), set()).add(char)
    assert not [category for category in silent if category[0] in "LN" or category == "Sc"]
    assert not [category for category in spoken if category[0] in "CMZ" or category == "Sk"]
    assert spoken["Po"] | spoken["Sm"] == SPOKEN_SIGNS - {*"°©®"}
    assert {*"™№℃©®°Ⓐ㎏"} <= spoken["So"]
    assert {*"♥♪★■☐✓"} <= silent["So"]
    assert {*"→←↑|~¬"} <= silent["Sm"]


def test_nothing_is_changed_where_that_is_not_wanted() -> None:
    """But white space around it."""
    normalized = prepare_text(" **😀** ", 100, normalize=False)
    assert normalized.text == "**😀**"
    assert not normalized.changes


@pytest.mark.parametrize("normalize", [True, False])
def test_limits_hold_for_what_was_sent(normalize: bool) -> None:
    with pytest.raises(TextTooLong, match="11 characters"):
        prepare_text("**" + "a" * 7 + "**", 10, normalize=normalize)
    with pytest.raises(TextRequired):
        prepare_text(" ", 10, normalize=normalize)
    with pytest.raises(UnspeakableText, match="surrogate"):
        prepare_text("a\ud800", 10, normalize=normalize)


def test_an_instruction_has_a_limit_of_its_own() -> None:
    """Also where texts may be long; and it may be empty."""
    assert check_instruct(" calm \n") == "calm"
    assert check_instruct(" ") == ""
    with pytest.raises(TextTooLong, match="'instruct' has 4097 characters"):
        check_instruct("a" * (MAX_INSTRUCT_CHARS + 1))
    with pytest.raises(UnspeakableText, match="'instruct' is not valid Unicode"):
        check_instruct("a\udfff")


class LongestCall:
    """Seconds of CPU of the longest call of a library, which holds the GIL until it returns.

    A profiler. What calls back into Python lets others run, and does not count.
    """

    def __init__(self) -> None:
        self.longest_s, self.name = 0.0, ""
        self._began_at: float | None = None

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            self._began_at = time.thread_time()
        elif event == "c_return" and self._began_at is not None:
            took_s = time.thread_time() - self._began_at
            if took_s > self.longest_s:
                self.longest_s, self.name = took_s, getattr(arg, "__qualname__", repr(arg))
        if event != "c_call":
            self._began_at = None


MARKS = "\u0301\u0316\u0327\u0334\u0345"
UNITS = [
    *(MARKS, "a" + MARKS * 9, "\U0001f1e9", "\U0001f468\u200d", "\u1112\u1161\u11ab"),
    *("<a ", "<!--", "<think>", "[a](", "*a ", "`", "|\n", "&amp;", ". ", "\n", " ", "a", "北"),
    *("word ", "\u202e", "\U000e0041", "😀", "```\n", "a\n\u00ad", "a-\n"),
]


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_no_text_holds_the_gil(unit: str) -> None:
    """Composed or divided as a whole, one of these would, and longer ones for a minute."""
    text = unit * (30_000 // len(unit)) + "a"
    longest = LongestCall()
    sys.setprofile(longest)
    try:
        for normalize in (True, False):
            with contextlib.suppress(InvalidRequest):
                split(prepare_text(text, len(text), normalize=normalize).text, 400)
    finally:
        sys.setprofile(None)
    assert longest.longest_s < 0.1, longest.name
