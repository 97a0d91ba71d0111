"""`make bench-gpu`: the published sizes on a GPU, with random weights; needs no network.

    python -m bench.gpu --size 1.7b --size 0.6b

`--device cpu --size nano` runs every line of it on a machine without a GPU, for its own test.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the server does, before PyTorch

import torch
from torch.profiler import ProfilerActivity, profile

from bench.__main__ import RESULTS, write_result
from bench.engine_speed import fail, median_of, prompts, run_engine, run_upstream
from bench.open_loop import run_open_loop
from bench.plot import plot
from bench.published_sizes import SIZES, write_checkpoint
from bench.rivals import measure_faster_qwen3_tts
from bench.upstream import load_upstream
from qwen_tts_api.engine.memory import plan_memory
from qwen_tts_api.engine.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.checkpoint import read_card
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.placement import Placement, place

MAX_POSITIONS = 2048


def main() -> None:
    """Measure each size in turn, and write `bench/results/gpu_<size>.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", action="append", choices=SIZES)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--streams", default="1,8,32,64")
    parser.add_argument("--rates", default="5,10,20", help="requests a second, open loop")
    parser.add_argument("--frames", type=int, default=125, help="frames of each utterance")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each open loop")
    parser.add_argument(
        "--faster-qwen3-tts", default="", metavar="PYTHON", help="an interpreter that has it"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go")
    options = parser.parse_args()
    results = {}
    for size in options.size or ["1.7b", "0.6b"]:
        results[size] = result = measure(
            size,
            options.device,
            streams=[int(number) for number in options.streams.split(",")],
            rates=[float(number) for number in options.rates.split(",")],
            frames=options.frames,
            seconds=options.seconds,
            faster_qwen3_tts=options.faster_qwen3_tts,
        )
        print(write_result(f"gpu_{size}", result, options.out), flush=True)
    plot(results, options.out / "gpu.png")
    print(f"written to {options.out}", flush=True)


def measure(
    size: str,
    device: str,
    *,
    streams: list[int],
    rates: list[float],
    frames: int,
    seconds: float,
    faster_qwen3_tts: str,
) -> dict[str, Any]:
    """Return every figure of one size."""
    on_gpu = device != "cpu"
    if on_gpu:
        torch.cuda.set_device(device)  # as `loading.load_runner` does
    placement = place(device, "bfloat16" if on_gpu else "float32", "flash_attention_2")
    result: dict[str, Any] = {
        "size": size,
        "dtype": placement.dtype,
        "attention": placement.attention,
    }
    with tempfile.TemporaryDirectory() as cache:
        folder = Path(cache)
        write_checkpoint(size, folder, device, placement.torch_dtype)
        result["upstream, one stream"] = _upstream(folder, placement, min(frames, 40))
        result["faster-qwen3-tts, one stream"] = measure_faster_qwen3_tts(
            faster_qwen3_tts, folder, frames
        )
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        began = time.perf_counter()
        model = LoadedModel.load(folder, read_card(folder), placement)
        _synchronize(device)
        result["load_s"] = round(time.perf_counter() - began, 1)
    began = time.perf_counter()
    scheduler = _scheduler(model, max(streams), enforce_eager=False)
    result["warm_up_s"] = round(time.perf_counter() - began, 1)
    result["graphs"] = _closed_loops(scheduler, streams, frames)
    result["open_loop"] = {
        f"{rate:g} a second": run_open_loop(scheduler, rate, seconds, frames) for rate in rates
    }
    scheduler.runner.close()
    gc.collect()
    scheduler = _scheduler(model, max(streams), enforce_eager=True)
    result["eager"] = _closed_loops(scheduler, streams[:2], frames)
    result["bandwidth"] = _bandwidth(model, result, device)
    if on_gpu:
        result["kernels_per_frame"] = _kernels_per_frame(scheduler)
        result["memory_peak_gib"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)
    return result


def _upstream(folder: Path, placement: Placement, frames: int) -> dict[str, float]:
    """Measure qwen-tts, and give its memory back."""
    requests = prompts(1, streaming=False, frames=frames)
    row = median_of(1, partial(run_upstream, load_upstream(folder, placement), requests))
    gc.collect()
    if placement.device != "cpu":
        torch.cuda.empty_cache()
    return row


def _closed_loops(scheduler: Scheduler, streams: list[int], frames: int) -> dict[str, Any]:
    rows = {}
    for count in streams:
        requests = prompts(count, streaming=True, frames=frames)
        rows[f"{count} streams"] = median_of(2, partial(run_engine, scheduler, requests))
    return rows


def _scheduler(model: LoadedModel, rows: int, *, enforce_eager: bool) -> Scheduler:
    plan = plan_memory(model, rows, MAX_POSITIONS)
    runner = ModelRunner(model, plan, max_positions=MAX_POSITIONS, enforce_eager=enforce_eager)
    runner.eos = -1  # random weights end by chance; every utterance is to be equally long
    runner.warm_up()
    return Scheduler(runner, fail)


def _kernels_per_frame(scheduler: Scheduler) -> float:
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        measured = run_engine(scheduler, prompts(1, streaming=False, frames=24))
    kernels = sum(event.count for event in profiler.key_averages())
    return round(float(kernels) / measured["frames"], 1)


def _bandwidth(model: LoadedModel, result: dict[str, Any], device: str) -> dict[str, float]:
    """Return what one stream reads a second against what a plain copy moves.

    A frame reads the talker's layers once and the code predictor's fifteen times (its first pass
    has two positions), each with its head; keys and values come on top and are left out.
    """
    talker, predictor = model.speech.talker, model.speech.code_predictor

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
    row = result["graphs"]["1 streams"]
    used = frame_bytes / (row["ms_per_step"] / 1000)
    peak = _copy_bandwidth(device)
    return {
        "frame_gb": round(frame_bytes / 1e9, 4),
        "used_gb_s": round(used / 1e9, 1),
        "copy_gb_s": round(peak / 1e9, 1),
        "share": round(used / peak, 3),
    }


def _copy_bandwidth(device: str) -> float:
    """Return the bytes a second, read and written, of a copy of 1 GiB (64 MiB on a CPU)."""
    source = torch.empty(2**26 if device == "cpu" else 2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    _synchronize(device)
    began = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    _synchronize(device)
    return 20 * source.numel() / (time.perf_counter() - began)


def _synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
