"""Benchmark the engine on a CPU with the embedded checkpoint."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the server does, before PyTorch

import torch

from bench.engine_speed import (
    fail,
    median_of,
    profile_engine,
    prompts,
    run_engine,
    run_upstream,
)
from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import place

STREAMS = 16
RUNS = 5


def measure() -> dict[str, Any]:
    """Compare 1 and 16 streams with upstream's `generate`, and profile the engine."""
    placement = place("cpu", "float32", "sdpa")
    with tempfile.TemporaryDirectory() as cache:
        folder = locate("nano", Path(cache))
        model = LoadedModel.load(Checkpoint.read(folder), placement)
        upstream = load_upstream(folder, placement)
    torch.set_num_threads(1)  # as the server does for a model this small
    scheduler = _scheduler(model)
    one, many = prompts(1, streaming=False), prompts(STREAMS, streaming=False)
    rows = {
        "upstream, one stream": median_of(RUNS, lambda: run_upstream(upstream, one)),
        "engine, one stream": median_of(RUNS, lambda: run_engine(scheduler, one)),
        "engine, one stream, streamed": median_of(
            RUNS, lambda: run_engine(scheduler, prompts(1, streaming=True))
        ),
        f"upstream, a batch of {STREAMS}": median_of(2, lambda: run_upstream(upstream, many)),
        f"engine, {STREAMS} streams": median_of(RUNS, lambda: run_engine(scheduler, many)),
    }
    single = rows["engine, one stream"]["x"]
    return {
        "threads": torch.get_num_threads(),
        "rows": rows,
        "one stream against upstream": round(single / rows["upstream, one stream"]["x"], 2),
        f"{STREAMS} streams against one": round(
            rows[f"engine, {STREAMS} streams"]["x"] / single, 2
        ),
        "profile of one stream": profile_engine(scheduler),
    }


def _scheduler(model: LoadedModel) -> Scheduler:
    plan = plan_memory(model, STREAMS, 2048)
    runner = ModelRunner(model, plan, enforce_eager=False)
    runner.warm_up()
    return Scheduler(runner, fail)
