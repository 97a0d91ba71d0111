"""How much memory the beginnings of prompts have that are kept for others."""

from __future__ import annotations

MAX_PREFIX_POSITIONS = 2048
"""Of the beginnings of prompts that are kept for others: 20 of them with an instruction of 90
tokens each, or 200 of speakers without one. They take 224 MB."""

PREFIX_SHARE = 1 / 32
"""Of what is free, at most."""


def prefix_bytes_of(position_bytes: int, available: int) -> int:
    """Return what they may take of what is available, whole positions."""
    num_positions = min(MAX_PREFIX_POSITIONS, int(available * PREFIX_SHARE) // position_bytes)
    return max(0, num_positions) * position_bytes
