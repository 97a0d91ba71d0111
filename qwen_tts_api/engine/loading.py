"""Load a model: find, validate, load and warm up. Imports PyTorch only when called."""

from __future__ import annotations

import functools
import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as with_changes
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qwen_tts_api.checkpoints import card
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.nano import NANO_KINDS
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.runner.capture_lock import CAPTURES
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import SynthesisFailed
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, Reference, SamplingParams

if TYPE_CHECKING:
    from qwen_tts_api.checkpoints.checkpoint import Checkpoint
    from qwen_tts_api.model.weights.placement import Placement

logger = logging.getLogger(__name__)

ONE_THREAD_BYTES = 256 * 2**20
"""On a CPU, models smaller than this compute in one thread. A frame of nano is a thousand operators
too small to be shared: 16 streams run at 38 times real time with one thread, at 22 with two (on 2
cores that others use too)."""


LoadRunner = Callable[[Callable[[str], None], Callable[[], None]], Runner]
"""Loads a model: `load(report, await_place)`; raises StartupError. It reports each stage, and calls
`await_place` once, between validating the checkpoint and allocating device memory: that blocks
until there is a place among the loaded models, and raises LoadCancelled if no job needs the model
any more."""

LoadById = Callable[[str, Callable[[str], None], Callable[[], None]], Runner]
"""Like `LoadRunner`, with the model's id as the first argument."""


@dataclass(frozen=True)
class ModelLoader:
    """Where models come from.

    Attributes:
        load: Loads a model by its id.
        describe: Reads what a model can do without loading it; raises LoadError.
    """

    load: LoadById
    describe: Callable[[str], ModelCard]


class LoadCancelled(Exception):
    """No job waits any more for the model that is being loaded."""


@dataclass(frozen=True)
class LoadOptions:
    """How models are loaded; the settings of the same names."""

    device: str
    dtype: str
    attention: str
    cache_dir: Path
    max_streams: int
    max_positions: int
    enforce_eager: bool
    kernels: str = "auto"


def load_runner(
    model_id: str,
    options: LoadOptions,
    check: Callable[[ModelCard], None],
    report: Callable[[str], None],
    await_place: Callable[[], None] = lambda: None,
) -> Runner:
    """Find, validate, load and warm up a model; on failure, release its memory.

    Args:
        model_id: As for `card.locate`.
        options: How.
        check: Called with the model card before the weights are downloaded; may raise.
        report: Called with the name of each stage, for the log and `/readyz`.
        await_place: Called before device memory is allocated; may raise.

    Raises:
        LoadError: The checkpoint or the device is not there, or the memory does not suffice.
        StartupError: What `check` raises.
    """
    report("importing PyTorch")
    _import_pytorch()
    from qwen_tts_api.engine.memory.release import release_memory
    from qwen_tts_api.model.loaded import judge
    from qwen_tts_api.model.weights.placement import place

    placement = place(options.device, options.dtype, options.attention)
    _prepare_thread(options.device)
    report("finding the checkpoint")
    checkpoint = judge(*_find(model_id, options, check))
    await_place()
    with CAPTURES.load():
        try:
            return _load(checkpoint, placement, options, report)
        except Exception as error:
            # Before the next model is loaded, whose slots are planned for the rest.
            release_memory(error)
            raise


def _prepare_thread(device: str) -> None:
    import torch

    # PyTorch keeps the number by thread, and begins a new thread with what any other set last.
    torch.set_num_threads(usual_threads())
    if device != "cpu":
        torch.cuda.set_device(device)  # of this thread: streams, events and graphs take it


def _find(
    model_id: str, options: LoadOptions, check: Callable[[ModelCard], None]
) -> tuple[Path, Document]:
    """Return the folder of a checkpoint that `check` agrees with, and its config.json."""
    if model_id in NANO_KINDS:
        logger.warning(
            "%s is a miniature with random weights: it makes audible noise, not speech. "
            "Set QWEN_MODEL_ID to a published checkpoint for speech.",
            model_id,
        )
    described = card.locate(model_id, options.cache_dir, files=["config.json"])
    config = card.read_config(described)
    check(card.card_of(config, described))
    return card.locate(model_id, options.cache_dir), config


def _load(
    checkpoint: Checkpoint,
    placement: Placement,
    options: LoadOptions,
    report: Callable[[str], None],
) -> Runner:
    import torch

    from qwen_tts_api.engine.memory.fitting import fit_runner
    from qwen_tts_api.engine.memory.planning import plan_memory
    from qwen_tts_api.engine.runner.kernels.choice import (
        choose_kernels,
        prepare_triton,
        with_attention_of,
    )
    from qwen_tts_api.engine.runner.model_runner import ModelRunner
    from qwen_tts_api.model.loaded import LoadedModel

    report("loading the weights")
    model = LoadedModel.load(checkpoint, placement)
    if options.device == "cpu" and model.num_bytes < ONE_THREAD_BYTES:
        torch.set_num_threads(1)
    if placement.device != "cpu":
        prepare_triton(options.cache_dir)
    kernels = choose_kernels(model, options.kernels, report)
    model = with_attention_of(model, kernels)
    make = partial(ModelRunner, model, enforce_eager=options.enforce_eager, kernels=kernels)
    plan = partial(
        plan_memory,
        model,
        options.max_streams,
        options.max_positions,
        keeps_prefixes=kernels.prefill is not None,
    )
    return fit_runner(plan, make, _warm_up, report)


def _warm_up(runner: Any) -> None:
    runner.warm_up()
    synthesize_once(runner)


@functools.cache
def usual_threads() -> int:
    """Return how many threads PyTorch chose by itself, for the cores or by OMP_NUM_THREADS."""
    import torch

    return torch.get_num_threads()


def _import_pytorch() -> None:
    """Import PyTorch, and exclude what was imported from garbage collection (`gc.freeze`).

    Collecting during the import makes that 6 % slower. Later, each full collection would scan those
    objects for 90 ms, in which no frame is computed.
    """
    if "torch" in sys.modules:
        return
    # OpenMP's threads spin between PyTorch's operators. Where other work wants the same cores, that
    # makes a frame of nano take 300 ms instead of 42 (2 threads on 2 shared cores). Read at import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    gc.disable()
    try:
        importlib.import_module("qwen_tts_api.engine.runner.model_runner")
    finally:
        gc.freeze()  # before there is a model, which must be collected when it is closed
        gc.enable()


def synthesize_once(runner: Runner) -> None:
    """Synthesize a short text, so that lazy initialisation does not delay the first request."""

    def explain(error: Exception) -> SynthesisFailed:
        raise error

    scheduler = Scheduler(runner, explain)
    speaker = next(iter(runner.card.speakers), None)
    prompt = Prompt("Hi.", "auto", speaker, "", SamplingParams(seed=0), 16, streaming=True)
    if runner.card.kind == "base":
        noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
        prompt = with_changes(prompt, reference=Reference(noise, "Hi."))
    scheduler.add(Job(prompt))
    while not scheduler.is_idle:
        scheduler.step()
