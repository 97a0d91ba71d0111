"""What computing takes besides weights and rows, measured before the rows are allocated.

As vLLM and mini-sglang do, the largest is captured first and the rest is planned after: a runner of
one row and one of a few prefill the longest prompt, make the frame and decode the chunk that take
the most. What is then gone from the device, and is no row, is working memory. It grows evenly with
the rows, so that two figures give what is fixed and what belongs to each row. Captures share one
pool, in which smaller ones find room where the largest was; but each graph has nodes of its own,
which are measured by capturing all graphs of one row.
"""

from __future__ import annotations

from collections.abc import Callable

from qwen_tts_api.engine.memory.planning import WorkingMemory
from qwen_tts_api.engine.runner.model_runner import ModelRunner

TRIAL_ROWS = 8
"""As many rows at most: enough for one row's part to stand out from the allocator's 2 MB steps."""


def measure_working_memory(
    make: Callable[[int], ModelRunner],
    free_bytes: Callable[[], int],
    row_bytes: int,
    max_rows: int,
    num_slot_buckets: int,
) -> WorkingMemory:
    """Return what runners take while they compute.

    Args:
        make: Makes one of so many rows.
        free_bytes: What is free on the device.
        row_bytes: What a row takes by itself.
        max_rows: Rows that will be asked for.
        num_slot_buckets: For how many numbers of rows graphs will be captured.
    """

    def run(num_rows: int) -> tuple[int, int]:
        """Return what so many rows take while they are computed, and what one row's graphs do."""
        before = free_bytes()
        trial = make(num_rows)
        try:
            trial.run_largest()
            running = free_bytes()
            trial.capture(1)
            captured = free_bytes()
        finally:
            trial.close()
        return max(0, before - running - num_rows * row_bytes), max(0, running - captured)

    # At most half of what is free goes into the trial's rows: the other half is to compute in.
    num_rows = max(1, min(TRIAL_ROWS, max_rows, free_bytes() // 2 // row_bytes))
    run(num_rows)  # not counted: it loads kernels and makes workspaces, which stay
    one, graphs = run(1)
    if num_rows == 1:  # then another row takes at most as much
        return WorkingMemory(graphs * num_slot_buckets, one)
    several, _ = run(num_rows)
    each = max(0, several - one) // (num_rows - 1)
    return WorkingMemory(max(0, one - each) + graphs * num_slot_buckets, each)
