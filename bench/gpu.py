"""`make bench-gpu`: the published sizes on a GPU, with random weights; needs no network.

    python -m bench.gpu --size 1.7b --size 0.6b

`--device cpu --size nano` runs every line of it on a machine without a GPU, for its own test.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bench.__main__ import RESULTS, write_result
from bench.engine_speed import fail, median_of, prompts, run_engine, run_upstream
from bench.open_loop import run_open_loop
from bench.published_sizes import SIZES, random_model
from qwen_tts_api.engine.memory import plan_memory
from qwen_tts_api.engine.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.placement import place

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
    options = parser.parse_args()
    for size in options.size or ["1.7b", "0.6b"]:
        result = measure(
            size,
            options.device,
            streams=[int(number) for number in options.streams.split(",")],
            rates=[float(number) for number in options.rates.split(",")],
            frames=options.frames,
            seconds=options.seconds,
        )
        print(json.dumps(result, indent=1), flush=True)
        if options.device != "cpu":
            write_result(f"gpu_{size}", result)
            print(f"written to {RESULTS}", flush=True)


def measure(
    size: str,
    device: str,
    *,
    streams: list[int],
    rates: list[float],
    frames: int,
    seconds: float,
) -> dict[str, Any]:
    """Return every figure of one size."""
    on_gpu = device != "cpu"
    dtype = "bfloat16" if on_gpu else "float32"
    model = random_model(size, place(device, dtype, "flash_attention_2"))
    result: dict[str, Any] = {
        "size": size,
        "dtype": dtype,
        "attention": model.placement.attention,
        "upstream, one stream": median_of(
            1, lambda: run_upstream(model, prompts(1, streaming=False, frames=min(frames, 40)))
        ),
    }
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
    if on_gpu:
        result["kernels_per_frame"] = _kernels_per_frame(scheduler)
        result["bandwidth"] = _bandwidth(model, result, device)
        result["memory_peak_gib"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)
    return result


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
        "frame_gb": round(frame_bytes / 1e9, 3),
        "used_gb_s": round(used / 1e9),
        "copy_gb_s": round(peak / 1e9),
        "share": round(used / peak, 3),
    }


def _copy_bandwidth(device: str) -> float:
    source = torch.empty(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    target.copy_(source)
    begin.record()
    for _ in range(10):
        target.copy_(source)
    end.record()
    end.synchronize()
    return 20_000 * source.numel() / float(begin.elapsed_time(end))


if __name__ == "__main__":
    main()
