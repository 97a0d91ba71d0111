"""A job while it is computed: its slot, its frames and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_tts_api.engine.job import Job


@dataclass(eq=False)
class Sequence:
    """A job that has a slot.

    Attributes:
        slot: The slot's index.
        job: The job.
        prepared: Its prompt, until it is prefilled.
        num_positions: How many positions the prompt takes.
        max_frames: The frame budget.
        launched: Frames whose generation was launched.
        sampled: Codes 0 that the host has read and that are not the end of speech. Each begins a
            valid frame.
        decoded: Frames whose decoding was launched.
        finish_reason: Set as soon as it is known that no further frame is valid.
        num_chunks: Chunks of audio so far, which the size of the next depends on.
    """

    slot: int
    job: Job
    prepared: Any
    num_positions: int
    max_frames: int
    launched: int = 0
    sampled: int = 0
    decoded: int = 0
    finish_reason: str = ""
    num_chunks: int = 0

    @property
    def valid_frames(self) -> int:
        """How many frames were launched and are known to be speech."""
        return min(self.launched, self.sampled)
