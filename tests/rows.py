"""Tables of cases that are one test, which tells of every row that is wrong.

What pytest and its plugins do around a test, in two processes, takes longer than most rows.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def for_each(names: str | Sequence[str], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """As `pytest.mark.parametrize`, but all rows are one test, and have the same fixtures.

    Args:
        names: Of what a row has: a text if that is one value, else as many as it has.
        rows: The values.
    """
    keys = (names,) if isinstance(names, str) else tuple(names)
    values = [(row,) if isinstance(names, str) else row for row in rows]
    cases = [dict(zip(keys, row, strict=True)) for row in values]

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)
        fixtures = [each for name, each in signature.parameters.items() if name not in keys]

        @functools.wraps(test)
        def run(**arguments: Any) -> None:
            assert cases, "there are no rows"
            errors: dict[str, BaseException] = {}
            for case in cases:
                try:
                    test(**arguments, **case)
                except (Exception, pytest.fail.Exception) as error:
                    errors[repr(case)] = error
            if errors:
                told = [f"{case}: {type(each).__name__}: {each}" for case, each in errors.items()]
                raise AssertionError("\n".join(told)) from next(iter(errors.values()))

        vars(run)["__signature__"] = signature.replace(parameters=fixtures)
        return run

    return decorate
