"""The batch sizes, cache lengths and numbers of tokens that graphs are captured for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

KV_STEP_EAGER = 64
KV_BUCKETS = (512, 1024, 2048, 4096, 8192, 16384, 32768)

TOKEN_BUCKETS = (64, 128, 192, 256, 384, 512, 768, 1024)
"""Tokens of prompts in one run: multiples of a tile's 64 rows. Beyond some 300 a run is bound by
its arithmetic, so that several runs of the largest lose nothing."""


@dataclass(frozen=True)
class Buckets:
    """The buckets of a runner.

    Attributes:
        max_slots: How many slots there are.
        max_positions: How many positions each slot has.
        captured: Whether graphs are captured; without them batches are not padded.
        reads_by_length: Whether attention reads the length of each slot, idle ones included.
    """

    max_slots: int
    max_positions: int
    captured: bool
    reads_by_length: bool

    @property
    def slots(self) -> list[int]:
        """The batch sizes, ascending."""
        return slot_buckets(self.max_slots)

    @property
    def positions(self) -> list[int]:
        """The numbers of positions that attention may read, ascending."""
        if self.reads_by_length:
            return [self.max_positions]
        return [size for size in KV_BUCKETS if size < self.max_positions] + [self.max_positions]

    @property
    def tokens(self) -> Sequence[int]:
        """The numbers of tokens that a run of prompts has, ascending."""
        return TOKEN_BUCKETS

    def slots_for(self, num_slots: int) -> int:
        """Return the batch size for so many slots."""
        if not self.captured:
            return num_slots
        return min(1 << (num_slots - 1).bit_length(), self.max_slots)

    def tokens_for(self, num_tokens: int) -> int:
        """Return the number of tokens that a run of so many has, at most the largest."""
        if not self.captured:
            return num_tokens
        return next(size for size in self.tokens if size >= num_tokens)

    def positions_for(self, end: int) -> int:
        """Return how many positions attention reads so that all before `end` are included."""
        if not self.captured and not self.reads_by_length:
            return min(-(-end // KV_STEP_EAGER) * KV_STEP_EAGER, self.max_positions)
        return next(size for size in self.positions if size >= end)


def slot_buckets(max_slots: int) -> list[int]:
    """Return the batch sizes that graphs are captured for, ascending."""
    return [*itertools.takewhile(lambda n: n < max_slots, (1 << n for n in range(64))), max_slots]
