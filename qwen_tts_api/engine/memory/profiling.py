"""Measure the memory that computing takes besides weights and slots, before slots are allocated.

As in vLLM and mini-sglang, the largest graphs are captured first and the rest is planned after: a
runner of one slot and one of a few slots run the frame and the chunk that take the most, the
longest prompt, and the longest recording of a voice. What they take besides their slots is working
memory. It grows linearly with the slots, so that two measurements give a fixed part and a part for
each slot. Graphs share one pool, in which smaller ones reuse the largest one's memory; but each has
nodes of its own, which are measured by capturing all graphs of one slot.
"""

from __future__ import annotations

from collections.abc import Callable

from qwen_tts_api.engine.memory.planning import WorkingMemory
from qwen_tts_api.engine.runner.model_runner import ModelRunner

TRIAL_SLOTS = 8
"""At most so many slots: enough to tell one slot's part from the allocator's steps of 2 MB."""


def measure_working_memory(
    make: Callable[[int], ModelRunner],
    free_bytes: Callable[[], int],
    held_bytes: Callable[[int], int],
    max_slots: int,
    num_slot_buckets: int,
) -> WorkingMemory:
    """Return the memory that runners take while they compute.

    Args:
        make: Makes a runner with so many slots.
        free_bytes: Returns how much memory is free on the device.
        held_bytes: Returns what so many slots of a runner take themselves, with its pages.
        max_slots: How many slots are wanted.
        num_slot_buckets: For how many batch sizes graphs will be captured.
    """

    def run(num_slots: int) -> tuple[int, int]:
        """Return the working memory of so many slots, and what the graphs of one slot take."""
        before = free_bytes()
        trial = make(num_slots)
        try:
            trial.run_largest()
            running = free_bytes()
            trial.capture(1)
            captured = free_bytes()
        finally:
            trial.close()
        return max(0, before - running - held_bytes(num_slots)), max(0, running - captured)

    # At most half of what is free goes into the trial's slots: the other half is to compute in.
    num_slots = min(TRIAL_SLOTS, max_slots)
    while num_slots > 1 and held_bytes(num_slots) > free_bytes() // 2:
        num_slots -= 1
    run(num_slots)  # not counted: it loads kernels and makes workspaces, which stay
    one, graphs = run(1)
    if num_slots == 1:  # then another slot takes at most as much
        return WorkingMemory(graphs * num_slot_buckets, one)
    several, _ = run(num_slots)
    each = max(0, several - one) // (num_slots - 1)
    return WorkingMemory(max(0, one - each) + graphs * num_slot_buckets, each)
