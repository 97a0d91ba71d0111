"""A text is checked first, then made speakable, unless the request says otherwise."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from qwen_tts_api.errors import TextRequired, TextTooLong, UnspeakableText
from qwen_tts_api.service.text import SPOKEN_SIGNS, has_words, prepare_text


@pytest.mark.parametrize(
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


@pytest.mark.parametrize("text", ["a", "7", "北", "€", "+", "½", "*a*", *"%&$#=@°"])
def test_a_letter_number_or_sign_is_enough(text: str) -> None:
    assert prepare_text(text, 100, normalize=True).text == text.strip("*")


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
    speakable = prepare_text(" **😀** ", 100, normalize=False)
    assert speakable.text == "**😀**"
    assert not speakable.changes


@pytest.mark.parametrize("normalize", [True, False])
def test_limits_hold_for_what_was_sent(normalize: bool) -> None:
    with pytest.raises(TextTooLong, match="11 characters"):
        prepare_text("**" + "a" * 7 + "**", 10, normalize=normalize)
    with pytest.raises(TextRequired):
        prepare_text(" ", 10, normalize=normalize)
    with pytest.raises(UnspeakableText, match="surrogate"):
        prepare_text("a\ud800", 10, normalize=normalize)
