"""What is aimed at on one H200 with 1.7B in bfloat16, and whether it was reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SIZE = "1.7b"


@dataclass(frozen=True)
class Aim:
    """A bound of one figure.

    Attributes:
        group, row, figure: Where it is in the results.
        bound: What is aimed at.
        is_least: Whether it is the least that it shall be, or the most.
    """

    group: str
    row: str
    figure: str
    bound: float
    is_least: bool = False

    def reached(self, value: float) -> bool:
        """Return whether a figure is as aimed at."""
        return value >= self.bound if self.is_least else value <= self.bound


_P50, _P95 = "first_audio_p50_ms", "first_audio_p95_ms"

AIMS = (
    Aim("graphs", "1 stream", "x", 30, is_least=True),
    Aim("graphs", "64 streams", "x", 400, is_least=True),
    Aim("graphs", "128 streams", "x", 600, is_least=True),
    Aim("graphs", "1 stream", _P50, 12),
    Aim("open loop", "20 a second", _P95, 30),
    Aim("burst", "64 at once", _P95, 80),
    Aim("HTTP", "1 stream", _P50, 12),
    Aim("HTTP open loop", "20 a second", _P95, 30),
    Aim("HTTP", "64 streams", _P95, 80),
    Aim("HTTP", "start", "ready_s", 30),
    Aim("alone as in company", "64 streams", "same", 3, is_least=True),
    *(
        Aim(group, row, "underruns", 0)
        for group, row in (
            ("graphs", "1 stream"),
            ("graphs", "64 streams"),
            ("graphs", "128 streams"),
            ("open loop", "20 a second"),
            ("burst", "64 at once"),
            ("HTTP", "64 streams"),
            ("HTTP open loop", "20 a second"),
        )
    ),
)


def judged(result: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table of the aims, beside what was measured."""
    yield "| aim | measured | |"
    yield "|---|---|---|"
    for aim in AIMS:
        value = result.get(aim.group, {}).get(aim.row, {}).get(aim.figure)
        verdict = "" if value is None else "reached" if aim.reached(value) else "missed"
        bound = f"{'at least' if aim.is_least else 'at most'} {aim.bound:g}"
        measured = "not measured" if value is None else value
        yield f"| {aim.group}, {aim.row}: {aim.figure} {bound} | {measured} | {verdict} |"
