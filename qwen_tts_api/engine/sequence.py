"""An utterance while it is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_tts_api.engine.job import Job


@dataclass(eq=False)
class Sequence:
    """An utterance in a slot of the batch.

    Attributes:
        slot: Which slot.
        job: Whose utterance.
        prepared: Its prompt, until it is prefilled.
        num_positions: How many positions the prompt takes.
        max_frames: The frame budget.
        launched: Frames whose making has begun.
        sampled: Codes 0 that are known. The frame that begins with one is valid: frame d is, as
            soon as code 0 number d is known and not the end of speech.
        decoded: Frames whose decoding has begun.
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
        """How many frames are made and known to be speech."""
        return min(self.launched, self.sampled)
