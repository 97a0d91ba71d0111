"""Make a runner for a loaded model, with as many slots and pages as fit into the memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from qwen_tts_api.engine.memory import planning
from qwen_tts_api.engine.memory.planning import MemoryPlan, WorkingMemory
from qwen_tts_api.engine.memory.profiling import measure_working_memory
from qwen_tts_api.engine.memory.release import empty_caches, release_memory
from qwen_tts_api.engine.runner.buckets import slot_buckets
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.self_test import is_out_of_memory
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.talker_cache import CacheSize

logger = logging.getLogger(__name__)

PlanMemory = Callable[[WorkingMemory], MemoryPlan]
MakeRunner = Callable[[MemoryPlan], ModelRunner]


def fit_runner(
    plan_memory: PlanMemory,
    make: MakeRunner,
    warm_up: Callable[[ModelRunner], None],
    report: Callable[[str], None],
) -> ModelRunner:
    """Return a warmed-up runner with the slots and pages that are wanted, or as many as fit.

    Args:
        plan_memory: Plans slots and pages, given the working memory.
        make: Makes a runner for a plan.
        warm_up: Warms a runner up.
        report: Called with the name of each stage.

    Raises:
        LoadError: Not even one utterance fits.
    """
    empty_caches()  # what the loading has left there counts as taken
    plan = plan_memory(WorkingMemory())
    if plan.device != "cpu":
        report("measuring the working memory")
        plan = plan_memory(_measure(plan, make))
    logger.info("%s", plan)
    report("warming up")
    while True:
        try:
            return _warm_runner(make, plan, warm_up)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if plan.max_slots == 1:
                raise _too_little(plan, error) from error
            release_memory(error)
        logger.warning("out of memory with %d utterances at once; trying half", plan.max_slots)
        plan = replace(plan, size=_half(plan.size))


def _half(size: CacheSize) -> CacheSize:
    """Return half of the slots, and half of the pages or as many as one utterance may need."""
    slots = size.max_slots // 2
    pages = max(size.num_pages // 2, size.pages_per_slot)
    return replace(size, max_slots=slots, num_pages=min(pages, slots * size.pages_per_slot))


def _measure(plan: MemoryPlan, make: MakeRunner) -> WorkingMemory:
    """Measure with a few slots, or with one if those do not fit."""
    device = plan.device
    measure = partial(
        measure_working_memory,
        lambda num_slots: make(replace(plan, size=_trial(plan.size, num_slots))),
        lambda: planning.free_bytes(device)[0],
        lambda num_slots: plan.costs.of(_trial(plan.size, num_slots)) + plan.prefix_bytes,
        num_slot_buckets=len(slot_buckets(plan.max_slots)),
    )
    try:
        return measure(plan.max_slots)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        release_memory(error)
    try:
        return measure(1)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise _too_little(plan, error) from error


def _trial(size: CacheSize, num_slots: int) -> CacheSize:
    """Return a size of some slots that takes little, in which attention gathers its pages."""
    return replace(size, max_slots=num_slots, num_pages=1)


def _too_little(plan: MemoryPlan, error: Exception) -> LoadError:
    return LoadError(
        f"{plan.device} has too little memory: {plan}. {error} Set QWEN_MAX_POSITIONS "
        "lower, or QWEN_MODEL_ID to a smaller checkpoint."
    )


def _warm_runner(
    make: MakeRunner, plan: MemoryPlan, warm_up: Callable[[ModelRunner], None]
) -> ModelRunner:
    runner = make(plan)
    warm_up(runner)
    return runner
