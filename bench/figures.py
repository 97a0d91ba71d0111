"""Figures that are written to disk one by one, so that an interrupted run keeps them."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.__main__ import write_result

Values = dict[str, Any]

STATE = "device"
"""Of a row of figures: what the device was doing."""

SPEED = "x"
"""Of a row whose figures depend on that."""


class Figures:
    """The figures of one size, in `<folder>/gpu_<size>.json`; several processes add to it in turn.

    Args:
        size: Which.
        folder: Where they are written.
        state: Returns what the device is doing, which is kept beside each measured speed.

    Attributes:
        result: Groups of figures, each by row.
        failed: Whether something could not be measured.
    """

    def __init__(self, size: str, folder: Path, state: Callable[[], Values] = dict) -> None:
        self._state = state
        self._name = f"gpu_{size}"
        self._folder = folder
        path = folder / f"{self._name}.json"
        self.result: dict[str, Values] = (
            json.loads(path.read_text())["result"] if path.exists() else {}
        )
        self.failed = False

    def add(self, group: str, row: str, values: Values) -> None:
        """Write a row of figures to disk, and print it."""
        self.result.setdefault(group, {})[row] = values
        write_result(self._name, self.result, self._folder)
        print(f"{self._name}: {group}, {row}: {json.dumps(values)}", flush=True)

    def measure(self, group: str, row: str, function: Callable[[], Values]) -> None:
        """Add the figures that a function returns or, if it fails, the reason."""

        def measured() -> Values:
            values = function()
            state = self._state() if SPEED in values else {}
            return {**values, STATE: state} if state else values

        self.attempt(group, row, lambda: self.add(group, row, measured()))

    def attempt(self, group: str, row: str, function: Callable[[], None]) -> None:
        """Call a function that adds figures itself; if it fails, add a row with the reason."""
        try:
            function()
        except Exception as error:  # a border: the other figures are worth having
            traceback.print_exc()
            self.failed = True
            reason = next(iter(str(error).splitlines()), "")
            self.add(group, row, not_measured(f"{type(error).__name__}: {reason}"))


def not_measured(why: str) -> Values:
    """Return the row for something that was not measured."""
    return {"not measured": why}
