"""A table of cases fails for every row that is wrong, and for no other."""

from __future__ import annotations

import inspect

import pytest

from tests.rows import for_each


def test_every_wrong_row_is_told() -> None:
    """With its error; those behind it are tried, too."""
    tried = []

    @for_each(("a", "b"), [(1, 1), (2, 3), (4, 4), (5, 6)])
    @for_each("c", "xy")
    def equal(fixture: str, a: int, b: int, c: str) -> None:
        tried.append((a, b, c))
        if (a, c) == (5, "y"):
            pytest.fail("by hand")
        assert a == b, fixture

    assert list(inspect.signature(equal).parameters) == ["fixture"]
    with pytest.raises(AssertionError) as raised:
        equal(fixture="its fixture")
    assert len(tried) == 8
    told = str(raised.value)
    assert "{'a': 2, 'b': 3}: AssertionError: {'c': 'x'}: AssertionError: its fixture" in told
    assert "{'a': 5, 'b': 6}: " in told
    assert "{'c': 'y'}: Failed: by hand" in told
    assert "'a': 1" not in told
    assert "'a': 4" not in told


def test_a_table_has_rows() -> None:
    with pytest.raises(AssertionError, match="no rows"):
        for_each("a", [])(lambda a: None)()
