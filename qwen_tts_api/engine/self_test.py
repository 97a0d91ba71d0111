"""The health of an engine: successes and failures, and the self-test after a failure."""

from __future__ import annotations

import math
import time

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.job import Job
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from qwen_tts_api.telemetry.context import bound_context

SELF_TEST_INTERVAL_S = 5.0
"""Between two self-tests, as long as they fail."""

SELF_TEST_FRAMES = 4


class Health:
    """Written by an engine's thread, read by others.

    Attributes:
        degraded: The last computation failed, and no job has finished since.
        num_steps: Steps computed, each one frame of all running jobs.
        num_frames: Frames computed, over all jobs.
        num_failures: Computations that failed.
        num_out_of_memory: How many of them failed for lack of memory.
    """

    def __init__(self) -> None:
        self.degraded = False
        self.num_steps = 0
        self.num_frames = 0
        self.num_failures = 0
        self.num_out_of_memory = 0
        self._progressed_at = time.monotonic()
        self._next_test_at = 0.0

    def progress(self) -> None:
        """Record that the thread's loop has begun an iteration."""
        self._progressed_at = time.monotonic()

    def idle_s(self) -> float:
        """Return the seconds since the thread's loop last began an iteration."""
        return time.monotonic() - self._progressed_at

    def computed(self, num_running: int, *, finished: bool) -> None:
        """Record a successful step: its number of jobs, and whether any finished."""
        self.num_steps += 1
        self.num_frames += num_running
        if finished:
            self.degraded = False
            self._next_test_at = 0.0

    def failed(self, out_of_memory: bool) -> None:
        """Record that a computation failed."""
        self.degraded = True
        self.num_failures += 1
        self.num_out_of_memory += out_of_memory

    def self_test_is_due(self) -> bool:
        """Whether a self-test is to be run now; the next one is then due an interval later."""
        if not self.degraded or time.monotonic() < self._next_test_at:
            return False
        self._next_test_at = time.monotonic() + SELF_TEST_INTERVAL_S
        return True

    def self_test_due_in_s(self) -> float:
        """Return the seconds until a self-test is due; infinite where none is needed."""
        return max(0.0, self._next_test_at - time.monotonic()) if self.degraded else math.inf


def self_test(card: ModelCard) -> Job:
    """Return the job of a self-test: a short utterance."""
    speaker = card.speakers[0] if card.speakers else None
    prompt = Prompt(
        "Hi.", "auto", speaker, "", SamplingParams(), max_new_tokens=SELF_TEST_FRAMES + 1
    )
    with bound_context({"request_id": "self-test"}):
        return Job(prompt)


_NO_MEMORY_MARKS = (
    "CUDA error: out of memory",  # of a graph that is instantiated, or pinned memory
    "CUDA driver error: out of memory",  # of PyTorch's expandable segments
    "Triton Error [CUDA]: out of memory",  # of a kernel that is loaded
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",  # cuDNN's workspaces: PyTorch tries all
)

_CUDA_MARKS = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "CUDNN_STATUS", "cudaError")

_LOST_MARKS = (
    "illegal memory access",
    "illegal instruction",
    "misaligned address",
    "invalid program counter",
    "global/shared address space",
    "launch failure",
    "launch timed out",
    "device-side assert",
    "hardware stack error",
    "ECC error",
)
"""What the driver says of a kernel that has failed, at each launch after it, in Triton's errors.
Others are of the launch itself, which can be done without."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed: PyTorch's, which is not imported here, or the driver's."""
    text = str(error)
    return type(error).__name__ == "OutOfMemoryError" or any(
        mark in text for mark in _NO_MEMORY_MARKS
    )


def is_fatal(error: Exception) -> bool:
    """Whether an error is one of CUDA's, after which the context of the process is unusable.

    Out of memory is not fatal. PyTorch is not imported here: its errors are recognized by name, and
    those without a class of their own (cuBLAS, cuDNN, Triton) by their text.
    """
    if is_out_of_memory(error):
        return False
    text = str(error)
    if "Triton Error [CUDA]" in text:
        return any(mark in text for mark in _LOST_MARKS)
    return type(error).__name__ == "AcceleratorError" or any(mark in text for mark in _CUDA_MARKS)
