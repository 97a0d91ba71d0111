"""Edits that nobody noted are found again."""

from __future__ import annotations

import pytest

from qwen_tts_api.service.text.aligned import comparison
from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.aligned.comparison import compare
from qwen_tts_api.service.text.normalize import normalize_text


def kept(source: str, target: str) -> list[str]:
    """Return what two texts are found to have in common."""
    alignment = compare(source, target)
    assert (alignment.source_length, alignment.target_length) == (len(source), len(target))
    parts = []
    for block in alignment.placed():
        part = source[block.source : block.source_end]
        if block.is_kept:
            assert part == target[block.target : block.target_end]
            parts.append(part)
    return parts


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("See [the docs](https://docs.rs/docs) now.", ["See ", "the docs", " now."]),
        ("**Hello**, world &amp; you", ["Hello", ", world &", " you"]),
        ("你好😀世界。**好**", ["你好", "世界。", "好"]),
        ("cafe\u0301 ok", ["caf", " ok"]),
        ("one\u00a0two \u00ad three", ["one", "two ", " three"]),
        ("# Title\n\n- one", ["Title\n\n", "one"]),
        ("a a a **a** a", ["a a a ", "a", " a"]),
        ("H<sub>2</sub>O", ["H", "2", "O"]),
        ("**a**\n\t\nb ", ["a", "\n", "b"]),
    ],
)
def test_what_is_left_of_markup_is_where_it_was(source: str, parts: list[str]) -> None:
    assert kept(source, normalize_text(source).text) == parts


def test_a_long_text_whose_words_are_all_there_often() -> None:
    """Nothing in it is there once, and a link's address has words of the text."""
    source = "The **quick** [fox](http://a.b/fox) jumps over it. " * 100
    target = normalize_text(source).text
    assert "".join(kept(source, target)) == target


def test_signs_between_the_same_words_need_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search at each of them would take 100,000 characters 7 s."""
    monkeypatch.setattr(comparison, "WINDOWS", None)
    for source in ("a\tb " * 50 + "a", "**a** b " * 50 + "a"):
        assert "".join(kept(source, "a b " * 50 + "a")).replace(" ", "") == "ab" * 50 + "a"


def test_nothing_in_common() -> None:
    assert kept("abc", "xyz") == kept("", "x") == kept("x", "") == []
    assert compare("same", "same") == Alignment.same(4)
