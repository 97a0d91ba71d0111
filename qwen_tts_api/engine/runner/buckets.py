"""The sizes of batches and caches that graphs are captured for, and which of them will do."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

KV_STEP_EAGER = 64
KV_BUCKETS = (512, 1024, 2048, 4096, 8192, 16384, 32768)


@dataclass(frozen=True)
class Buckets:
    """Those of a runner.

    Attributes:
        max_rows: How many rows there are.
        max_positions: How many positions each has.
        captured: Whether anything is captured; else it is run for as many as there are.
        reads_by_length: Whether attention reads as much as each row has, idle ones too.
    """

    max_rows: int
    max_positions: int
    captured: bool
    reads_by_length: bool

    @property
    def rows(self) -> list[int]:
        """The numbers of rows, ascending."""
        return row_buckets(self.max_rows)

    @property
    def positions(self) -> list[int]:
        """How many positions may be read, ascending."""
        if self.reads_by_length:
            return [self.max_positions]
        return [size for size in KV_BUCKETS if size < self.max_positions] + [self.max_positions]

    def rows_for(self, num_rows: int) -> int:
        """Return what so many rows are rounded up to."""
        if not self.captured:
            return num_rows
        return min(1 << (num_rows - 1).bit_length(), self.max_rows)

    def positions_for(self, end: int) -> int:
        """Return how many positions are read where all before `end` are to be."""
        if not self.captured and not self.reads_by_length:
            return min(-(-end // KV_STEP_EAGER) * KV_STEP_EAGER, self.max_positions)
        return next(size for size in self.positions if size >= end)


def row_buckets(max_rows: int) -> list[int]:
    """Return the numbers of rows that graphs are captured for, ascending."""
    return [*itertools.takewhile(lambda n: n < max_rows, (1 << n for n in range(64))), max_rows]
