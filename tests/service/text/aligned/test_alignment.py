"""What stands for what, after any number of edits, and in any part of the text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.verbalize.edits import Edit, apply

NUMBERS = st.lists(st.integers(0, 12), max_size=6).map(sorted)


def edits_of(bounds: list[int], text: str, sign: str) -> list[Edit]:
    """Return edits of a text between pairs of bounds, each to so many signs as its number."""
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    return [Edit(a, b, sign * number, "") for number, (a, b) in enumerate(pairs) if b <= len(text)]


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_alignments_are_composed_and_cut(one: list[int], other: list[int], ends: list[int]) -> None:
    """All of both texts is in blocks, in order, and what is kept is the same in both."""
    text = "abcdefghijkl"
    first = edits_of(one, text, "X")
    middle = apply(text, first)
    second = edits_of(other, middle, "Y")
    last = apply(middle, second)
    whole = Alignment.edited(len(text), first).then(Alignment.edited(len(middle), second))
    assert (whole.source_length, whole.target_length) == (len(text), len(last))
    for block in whole.placed():
        if block.is_kept:
            kept = text[block.source : block.source_end]
            assert kept == last[block.target : block.target_end]
        elif block.target < block.target_end:
            assert set(last[block.target : block.target_end]) & {"X", "Y"} or block.source
    ends = [end for end in ends if end < len(last)]
    parts = whole.cut([*ends, len(last)])
    assert [sum(p.target_length for p in parts[: n + 1]) for n in range(len(ends))] == ends
    assert sum(part.source_length for part in parts) == len(text)
    spans = [whole.source_span(n, n + 1) for n in range(len(last))]
    assert spans == sorted(spans)
    assert all(0 <= start <= end <= len(text) for start, end in spans)


def test_a_word_that_two_edits_made_is_one() -> None:
    """SQL is sequel, and of that the first letter a capital."""
    first = Alignment.edited(5, [Edit(0, 3, "sequel", "")])
    second = Alignment.edited(8, [Edit(0, 1, "S", "")])
    assert first.then(second).blocks == ((3, 6, False), (2, 2, True))


def test_what_is_divided_is_divided_alike() -> None:
    numbers = Alignment.edited(8, [Edit(0, 8, "one two three fo", "")])
    assert [part.source_length for part in numbers.cut([4, 8, 16])] == [2, 2, 4]
