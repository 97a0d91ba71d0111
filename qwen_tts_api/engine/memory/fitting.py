"""Make a runner for a loaded model, with as many slots as fit into the device's memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from qwen_tts_api.engine.memory import planning
from qwen_tts_api.engine.memory.planning import MemoryPlan, WorkingMemory
from qwen_tts_api.engine.memory.profiling import measure_working_memory
from qwen_tts_api.engine.memory.release import release_memory
from qwen_tts_api.engine.runner.buckets import slot_buckets
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import LoadedModel

logger = logging.getLogger(__name__)

MakeRunner = Callable[[MemoryPlan], ModelRunner]


def fit_runner(
    model: LoadedModel,
    make: MakeRunner,
    *,
    max_slots: int,
    max_positions: int,
    warm_up: Callable[[ModelRunner], None],
    report: Callable[[str], None],
) -> ModelRunner:
    """Return a warmed-up runner with `max_slots` slots, or as many as fit.

    Args:
        model: Whose.
        make: Makes its runner by a plan.
        max_slots: How many slots are wanted.
        max_positions: Of each.
        warm_up: Brings a runner to where it serves.
        report: Told what is being done.

    Raises:
        LoadError: Not even one slot fits.
    """
    working = WorkingMemory()
    if model.placement.device != "cpu":
        report("measuring what computing takes")
        working = _measure(model, make, max_slots, max_positions)
    plan = planning.plan_memory(model, max_slots, max_positions, working)
    logger.info("%s", plan)
    report("warming up")
    while True:
        try:
            return _warm_runner(make, plan, warm_up)
        except torch.OutOfMemoryError as error:
            if plan.max_slots == 1:
                raise _too_little(model, plan, error) from error
            release_memory(error)
        logger.warning("%d utterances at once do not fit after all; trying half", plan.max_slots)
        plan = replace(plan, max_slots=plan.max_slots // 2)


def _measure(
    model: LoadedModel, make: MakeRunner, max_slots: int, max_positions: int
) -> WorkingMemory:
    """Measure with a few slots, or with one if those do not fit."""
    slot = planning.slot_bytes(model, max_positions)
    available = planning.available_bytes(model.placement.device)
    trial = MemoryPlan(1, model.num_bytes, slot, 0, WorkingMemory(), available)
    measure = partial(
        measure_working_memory,
        lambda num_slots: make(replace(trial, max_slots=num_slots)),
        lambda: planning.free_bytes(model.placement.device)[0],
        slot,
        num_slot_buckets=len(slot_buckets(max_slots)),
    )
    try:
        return measure(max_slots)
    except torch.OutOfMemoryError as error:
        release_memory(error)
    try:
        return measure(1)
    except torch.OutOfMemoryError as error:
        raise _too_little(model, trial, error) from error


def _too_little(model: LoadedModel, plan: MemoryPlan, error: Exception) -> LoadError:
    return LoadError(
        f"{model.placement.device} has too little memory: {plan}. {error} Set QWEN_MAX_POSITIONS "
        "lower, or QWEN_MODEL_ID to a smaller checkpoint."
    )


def _warm_runner(
    make: MakeRunner, plan: MemoryPlan, warm_up: Callable[[ModelRunner], None]
) -> ModelRunner:
    runner = make(plan)
    warm_up(runner)
    return runner
