"""Text into sentences and clauses, whatever the cut that it comes in."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.live.speech_stream.units import CLAUSE, NONE, SENTENCE, UnitSplitter
from tests.rows import for_each


def split(text: str, granularity: str, size: int) -> list[str]:
    """Return the units of a text that comes in parts of a size."""
    splitter = UnitSplitter(granularity)
    units = []
    for start in range(0, len(text), size):
        units += splitter.append(text[start : start + size])
    units += [splitter.flush()]
    return [unit.strip() for unit in units if unit.strip()]


@for_each("size", [1, 3, 1000])
@for_each(
    ("text", "units"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It is 3.14 or 1,000. Yes.", ["It is 3.14 or 1,000.", "Yes."]),
        ("Dr. Smith met Mrs. Jones. Then", ["Dr. Smith met Mrs. Jones.", "Then"]),
        ("J. R. Tolkien, e.g. here. End", ["J. R. Tolkien, e.g. here.", "End"]),
        ("See plan b. Then go.", ["See plan b.", "Then go."]),
        ('He said "Go!" and left. "Why?" Oh.', ['He said "Go!"', "and left.", '"Why?"', "Oh."]),
        ("Wait... what?! Yes.", ["Wait...", "what?!", "Yes."]),
        ("你好。世界！", ["你好。", "世界！"]),
        ("नमस्ते। ठीक", ["नमस्ते।", "ठीक"]),
        ("a.b.c and www.example.com ok", ["a.b.c and www.example.com ok"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, units: list[str], size: int) -> None:
    assert split(text, SENTENCE, size) == units


@pytest.mark.parametrize("size", [1, 1000])
def test_clauses(size: int) -> None:
    text = "Well, 1,000 of them; yes. 好，是。"
    assert split(text, CLAUSE, size) == ["Well,", "1,000 of them;", "yes.", "好，", "是。"]


def test_without_a_granularity_all_is_one() -> None:
    assert split("One. Two. ", NONE, 2) == ["One. Two."]


def test_a_text_without_marks_is_scanned_once() -> None:
    """A second for a million characters would be a million squared otherwise."""
    splitter = UnitSplitter(SENTENCE)
    for _ in range(20_000):
        assert splitter.append("word ") == []
    assert splitter.num_characters == 100_000
