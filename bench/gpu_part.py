"""One part of `bench.gpu`, in a process of its own.

    python -m bench.gpu_part graphs --size 1.7b --checkpoint /tmp/1.7b --out bench/results

Adds to `<out>/gpu_<size>.json`. The checkpoint is made by whichever part finds none.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the server does, before PyTorch

import torch

from bench import nvidia
from bench.codec_noise import signal_to_noise
from bench.engine_speed import median_of, prompts, run_upstream
from bench.figures import SPEED, Figures, Values
from bench.gpu_engine import (
    MAX_POSITIONS,
    OPEN_LOOP_FRAMES,
    WARM_UP_FRAMES,
    EngineBench,
    rounds,
    streams_row,
)
from bench.gpu_options import add_measuring_options
from bench.http_streams import run_arrivals, run_clients, serving
from bench.parts import say_where
from bench.published_sizes import SIZES, ensure_checkpoint
from bench.rivals import measure_faster_qwen3_tts
from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import SPEAKING, SPEAKING_FOLDER
from qwen_tts_api.engine.runner.kernels.choice import choose_kernels, prepare_triton
from qwen_tts_api.engine.runner.kernels.compiler import CACHE_VARIABLE
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement, place

UPSTREAM_FRAMES = 24
RIVAL_RUNS = 2
EAGER_COUNTS = PLAIN_COUNTS = 2


def graphs(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure the engine with CUDA graphs, without HTTP."""
    EngineBench(options.checkpoint, placement, figures).measure_graphs(
        options.streams,
        burst=options.burst,
        rates=options.rates,
        seconds=options.open_loop_s,
        frames=options.frames,
    )


def eager(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure the engine without CUDA graphs."""
    bench = EngineBench(options.checkpoint, placement, figures)
    bench.measure_eager(options.streams[:EAGER_COUNTS], options.frames)


def plain(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure the engine with CUDA graphs of PyTorch's operators; with more streams if need be."""
    others = figures.result.get("graphs", {}).values()
    counts = options.streams[:PLAIN_COUNTS]
    if not any(SPEED in row for row in others):
        counts = [count for count in options.streams if count <= options.burst]
    bench = EngineBench(options.checkpoint, placement, figures, kernels="plain")
    bench.measure_plain(counts, options.frames, options.burst)


def http(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure the server over HTTP: its start, with whatever kernels are compiled, and streams."""
    most = max(options.http_streams)
    cached = Path(os.environ[CACHE_VARIABLE])  # which the server inherits
    compiled = cached.is_dir() and any(cached.iterdir())
    began = time.perf_counter()
    with serving(options.checkpoint, placement, most, MAX_POSITIONS) as server:
        ready_s = round(time.perf_counter() - began, 1)
        figures.add("HTTP", "start", {"ready_s": ready_s, "kernels compiled before": compiled})
        for count in options.http_streams:
            run_clients(server, count, 1, min(options.frames, WARM_UP_FRAMES))
            loop = partial(run_clients, server, count, rounds(count), options.frames)
            figures.measure("HTTP", streams_row(count), loop)
        for rate in options.http_rates:
            of_each = min(options.frames, OPEN_LOOP_FRAMES)
            arrivals = partial(run_arrivals, server, rate, options.open_loop_s, of_each)
            figures.measure("HTTP open loop", f"{rate:g} a second", arrivals)


def codec(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure what rounding does to the samples of a codec that speaks, and of this one."""
    for name, folder in {SPEAKING: SPEAKING_FOLDER, options.size: options.checkpoint}.items():
        model = LoadedModel.load(Checkpoint.read(folder), placement)
        kernels = choose_kernels(model, "auto")
        noise = partial(signal_to_noise, model.codec, kernels.codec)
        figures.measure("codec against float32", name, noise)


def upstream(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure qwen-tts, a second time after once: 10,000 operators a frame take their time."""
    requests = prompts(1, streaming=False, frames=min(options.frames, UPSTREAM_FRAMES))

    def generate() -> Values:
        wrapper = load_upstream(options.checkpoint, placement)
        return median_of(1, partial(run_upstream, wrapper, requests))

    figures.measure("qwen-tts", streams_row(1), generate)


def faster_qwen3_tts(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure faster-qwen3-tts, if there is an interpreter that has it."""
    figures.add(
        "faster-qwen3-tts",
        streams_row(1),
        measure_faster_qwen3_tts(
            options.faster_qwen3_tts, options.checkpoint, options.frames, RIVAL_RUNS
        ),
    )


PARTS = {
    "graphs": graphs,
    "http": http,
    "plain": plain,
    "codec": codec,
    "upstream": upstream,
    "faster-qwen3-tts": faster_qwen3_tts,
    "eager": eager,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one part of one size; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--out", type=Path, required=True)
    add_measuring_options(parser)
    options = parser.parse_args(arguments)
    on_gpu = options.device != "cpu"
    if on_gpu:
        torch.cuda.set_device(options.device)  # as `loading.load_runner` does
    placement = place(options.device, "bfloat16" if on_gpu else "float32", "flash_attention_2")
    prepare_triton(options.checkpoint.parent)
    state = partial(nvidia.state, torch.cuda.current_device()) if on_gpu else dict
    figures = Figures(options.size, options.out, state)
    if not options.checkpoint.exists():
        began = time.perf_counter()
        ensure_checkpoint(options.size, options.checkpoint, options.device, placement.torch_dtype)
        figures.add("model", "writing", {"seconds": round(time.perf_counter() - began, 1)})
    attention = {"dtype": placement.dtype, "attention": placement.attention}
    figures.add("model", "placement", attention)
    PARTS[options.part](options, placement, figures)
    return int(figures.failed)


def log_what_compiles() -> None:
    """Print the log, with the whole errors of kernels that are left out: a row has one line."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("qwen_tts_api.engine.runner.kernels").setLevel(logging.DEBUG)


if __name__ == "__main__":
    log_what_compiles()
    signal.signal(signal.SIGTERM, say_where)
    sys.exit(main())
