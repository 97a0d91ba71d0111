"""How one tells that a model computes, and computes right."""

from __future__ import annotations

import time

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.job import Job
from qwen_tts_api.model.utterance import Prompt, Sampling
from qwen_tts_api.telemetry.logs import bound_context

CANARY_INTERVAL_S = 5.0
"""Between two canaries, as long as they fail."""

CANARY_FRAMES = 4


class Health:
    """What an engine's thread notes of its work, for others to read.

    Attributes:
        suspect: The last computation failed, and none has succeeded since.
        num_frames: Frames that were computed, whatever the number of rows in them.
        num_row_frames: Rows in those frames.
        num_failures: Computations that failed.
        num_out_of_memory: How many of them for want of memory.
    """

    def __init__(self) -> None:
        self.suspect = False
        self.num_frames = 0
        self.num_row_frames = 0
        self.num_failures = 0
        self.num_out_of_memory = 0
        self._progressed_at = time.monotonic()
        self._next_canary_at = 0.0

    def progress(self) -> None:
        """Note that the thread has come round."""
        self._progressed_at = time.monotonic()

    def idle_s(self) -> float:
        """Return the seconds since the thread last came round."""
        return time.monotonic() - self._progressed_at

    def computed(self, num_rows: int) -> None:
        """Note a frame of so many rows."""
        self.num_frames += 1
        self.num_row_frames += num_rows

    def failed(self, out_of_memory: bool) -> None:
        """Note that a computation failed."""
        self.suspect = True
        self.num_failures += 1
        self.num_out_of_memory += out_of_memory

    def succeeded(self) -> None:
        """Note that one did not."""
        self.suspect = False
        self._next_canary_at = 0.0

    def canary_is_due(self) -> bool:
        """Whether it is time to try the model; the next time is then a while later."""
        if not self.suspect or time.monotonic() < self._next_canary_at:
            return False
        self._next_canary_at = time.monotonic() + CANARY_INTERVAL_S
        return True

    def canary_due_in_s(self) -> float | None:
        """Return the seconds until a canary is due; None: none is needed."""
        return max(0.0, self._next_canary_at - time.monotonic()) if self.suspect else None


def canary(card: ModelCard) -> Job:
    """Return a short utterance, whose success shows that the model works again."""
    speaker = card.speakers[0] if card.speakers else None
    prompt = Prompt("Hi.", "auto", speaker, "", Sampling(), max_new_tokens=CANARY_FRAMES + 1)
    with bound_context({"request_id": "canary"}):
        return Job(prompt)


def is_fatal(error: Exception) -> bool:
    """Whether an error is CUDA's, after which the process can compute nothing more.

    Out of memory is the exception. PyTorch is not imported here: its errors are known by name, and
    those that have no name of their own (cuBLAS, cuDNN) by their text.
    """
    if type(error).__name__ == "OutOfMemoryError":
        return False
    text = str(error)
    return type(error).__name__ == "AcceleratorError" or any(
        mark in text for mark in ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS", "cudaError")
    )
