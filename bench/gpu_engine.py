"""Benchmark the engine on a GPU, smallest load first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bench.company import run_company
from bench.engine_speed import fail
from bench.figures import Figures, Values
from bench.open_loop import run_closed_loop, run_open_loop
from bench.prefill_speed import run_prefills
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.memory.planning import GIB, plan_memory
from qwen_tts_api.engine.runner.kernels.choice import choose_kernels, with_attention_of
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement

MAX_POSITIONS = 512
"""For the prompt and 10 s of audio there is one bucket of keys and values to capture."""

MIN_REQUESTS = 8
WARM_UP_FRAMES = 8
OPEN_LOOP_FRAMES = 50
COMPANY_FRAMES = 50
PROFILED_FRAMES = 12
EAGER_FRAMES = 25


class EngineBench:
    """A model, and the figures of the engine on it."""

    def __init__(
        self, folder: Path, placement: Placement, figures: Figures, kernels: str = "auto"
    ) -> None:
        self._device = placement.device
        self._figures = figures
        began = time.perf_counter()
        self._model = LoadedModel.load(Checkpoint.read(folder), placement)
        synchronize(self._device)
        seconds = round(time.perf_counter() - began, 1)
        figures.add("model", "loading", {"seconds": seconds})
        began = time.perf_counter()
        self._kernels = choose_kernels(self._model, kernels)
        self._model = with_attention_of(self._model, self._kernels)
        seconds = round(time.perf_counter() - began, 1)
        names, left_out = self._kernels.names(), self._kernels.left_out
        reasons = {f"{part} left out": left_out[part] for part in left_out}
        figures.add("model", f"kernels, {kernels}", {**names, **reasons, "comparing_s": seconds})

    def measure_graphs(
        self,
        streams: Sequence[int],
        burst: int,
        rates: Sequence[float],
        seconds: float,
        frames: int,
    ) -> None:
        """Measure captured graphs: one stream, then more of them.

        Args:
            streams: How many requests begin together, in ascending order.
            burst: How many come at once to an idle engine of as many rows as the largest of these.
            rates: Requests a second, each rate for `seconds`.
            seconds: Of each open loop, without its end.
            frames: Of each utterance.
        """

        def one() -> None:
            scheduler = self._scheduler(streams[0], enforce_eager=False)
            self._closed_loop("graphs", scheduler, streams[0], frames)
            self._figures.measure("GPU", "bandwidth", self._bandwidth)
            scheduler.runner.close()

        def more() -> None:
            scheduler = self._scheduler(max(streams), enforce_eager=False)
            for count in streams[1:]:
                self._closed_loop("graphs", scheduler, count, frames)
            self._figures.measure("GPU", "memory", self._memory)
            at_once = partial(run_closed_loop, scheduler, burst, 1, frames)
            self._figures.measure("burst", f"{burst} at once", at_once)
            together = min(burst, scheduler.runner.max_slots)
            company = partial(run_company, scheduler, together, min(frames, COMPANY_FRAMES))
            self._figures.measure("alone as in company", f"{together} streams", company)
            self._prefills(scheduler, burst)
            for rate in rates:
                of_each = min(frames, OPEN_LOOP_FRAMES)
                loop = partial(run_open_loop, scheduler, rate, seconds, of_each)
                self._figures.measure("open loop", f"{rate:g} a second", loop)
            self._figures.measure("kernels a frame", "graphs", partial(self._kernels_of, scheduler))

        self._figures.attempt("graphs", streams_row(streams[0]), one)
        self._figures.attempt("graphs", "more", more)

    def measure_plain(self, streams: Sequence[int], frames: int, burst: int) -> None:
        """Measure captured graphs of PyTorch's operators, with few streams; prompts of a burst."""
        scheduler = self._scheduler(max(streams), enforce_eager=False)
        for count in streams:
            self._closed_loop("plain graphs", scheduler, count, frames)
        self._figures.measure("kernels a frame", "plain", partial(self._kernels_of, scheduler))
        scheduler.runner.close()
        # What PyTorch's operators do of prompts is not captured.
        self._prefills(self._scheduler(burst, enforce_eager=True), burst)

    def measure_eager(self, streams: Sequence[int], frames: int) -> None:
        """Measure without CUDA graphs, with few streams."""
        scheduler = self._scheduler(max(streams), enforce_eager=True)
        for count in streams:
            self._closed_loop("eager", scheduler, count, min(frames, EAGER_FRAMES))
        self._figures.measure("kernels a frame", "eager", partial(self._kernels_of, scheduler))

    def _scheduler(self, rows: int, *, enforce_eager: bool) -> Scheduler:
        fused = self._kernels.prefill is not None
        plan = plan_memory(self._model, rows, MAX_POSITIONS, keeps_prefixes=fused)
        began = time.perf_counter()
        runner = ModelRunner(self._model, plan, enforce_eager=enforce_eager, kernels=self._kernels)
        runner.eos = -1  # random weights end by chance; every utterance is to be equally long
        runner.warm_up()
        synchronize(self._device)
        seconds = round(time.perf_counter() - began, 1)
        how = "eager" if enforce_eager else "graphs"
        row_mib = round(plan.costs.of(plan.size) / plan.max_slots / 2**20, 1)
        self._figures.add(
            "model",
            f"{how}, {plan.max_slots} rows",
            {"warm_up_s": seconds, "weights_gib": round(plan.weights_bytes / GIB, 2)}
            | {"row_mib": row_mib},
        )
        return Scheduler(runner, fail)

    def _closed_loop(self, group: str, scheduler: Scheduler, count: int, frames: int) -> None:
        def loop() -> Values:
            run_closed_loop(scheduler, count, 1, min(frames, WARM_UP_FRAMES))
            return run_closed_loop(scheduler, count, rounds(count), frames)

        self._figures.measure(group, streams_row(count), loop)

    def _prefills(self, scheduler: Scheduler, most: int) -> None:
        """Measure one prompt and many, with beginnings that are known and with new ones."""
        runner = scheduler.runner
        for count in sorted({1, min(most, runner.max_slots)}):
            for beginning, known in {"new": False, "known": True}.items():
                prefills = partial(run_prefills, runner, count, known=known)
                prompts = f"{count} prompts" if count > 1 else "1 prompt"
                row = f"{prompts}, a {beginning} beginning"
                self._figures.measure(f"prefill, {runner.kernels['prefill']}", row, prefills)

    def _memory(self) -> Values:
        if self._device == "cpu":
            return {}
        peak = torch.cuda.max_memory_allocated(self._device)
        reserved = torch.cuda.memory_reserved(self._device)
        return {"peak_gib": round(peak / GIB, 2), "reserved_gib": round(reserved / GIB, 2)}

    def _kernels_of(self, scheduler: Scheduler) -> Values:
        """Count the kernels of one stream, those of its codec included."""
        if self._device == "cpu":
            return {}
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            measured = run_closed_loop(scheduler, 1, 1, PROFILED_FRAMES)
        counts = {"kernels": 0, "copies": 0}
        for event in profiler.key_averages():
            if event.device_type.name == "CUDA":  # what runs there, not what launches it
                is_copy = event.key.startswith(("Memcpy", "Memset"))
                counts["copies" if is_copy else "kernels"] += event.count
        return {name: round(count / measured["frames"], 1) for name, count in counts.items()}

    def _bandwidth(self) -> Values:
        """Return the memory bandwidth that one stream uses, relative to a plain copy.

        A frame reads the talker's layers once and the code predictor's fifteen times (its first
        pass has two positions), each with its head; keys and values come on top and are left out.
        """
        talker, predictor = self._model.speech.talker, self._model.speech.code_predictor

        def layers(blocks: Any) -> int:
            return sum(
                tensor.numel() * tensor.element_size()
                for block in blocks
                for tensor in (block.qkv, block.output, block.gate_up, block.down)
            )

        size = talker.codec_head.element_size()
        heads = sum(head.numel() for head in predictor.lm_heads) * size
        passes = len(predictor.lm_heads)
        frame_bytes = (
            layers(talker.decoder.layers)
            + talker.codec_head.numel() * size
            + passes * layers(predictor.decoder.layers)
            + heads
        )
        row = self._figures.result["graphs"][streams_row(1)]
        used = frame_bytes / (row["ms_per_step"] / 1000)
        peak = _copy_bandwidth(self._device)
        return {
            "frame_gb": round(frame_bytes / 1e9, 4),
            "used_gb_s": round(used / 1e9, 1),
            "copy_gb_s": round(peak / 1e9, 1),
            "share": round(used / peak, 3),
        }


def streams_row(count: int) -> str:
    """Return the name of the row for a number of concurrent requests."""
    return f"{count} streams" if count > 1 else "1 stream"


def rounds(streams: int) -> int:
    """Return how many rounds to run, for at least eight requests in all."""
    return -(-MIN_REQUESTS // streams)


def synchronize(device: str) -> None:
    """Wait until the GPU is idle."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def _copy_bandwidth(device: str) -> float:
    """Return the bandwidth of a copy of 1 GiB (64 MiB on a CPU): bytes read and written per s."""
    source = torch.empty(2**26 if device == "cpu" else 2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    synchronize(device)
    began = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    synchronize(device)
    return 20 * source.numel() / (time.perf_counter() - began)
