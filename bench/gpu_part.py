"""One part of `bench.gpu`, in a process of its own.

    python -m bench.gpu_part graphs --size 1.7b --checkpoint /tmp/1.7b --out bench/results

Adds to `<out>/gpu_<size>.json`. The checkpoint is made by whichever part finds none.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the server does, before PyTorch

import torch

from bench.engine_speed import median_of, prompts, run_upstream
from bench.figures import Figures, Values
from bench.gpu_engine import MAX_POSITIONS, WARM_UP_FRAMES, EngineBench, rounds, streams_row
from bench.gpu_options import add_measuring_options
from bench.http_streams import run_clients, serving
from bench.published_sizes import SIZES, ensure_checkpoint
from bench.rivals import measure_faster_qwen3_tts
from bench.upstream import load_upstream
from qwen_tts_api.engine.runner.kernels.choice import prepare_triton
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
    """Measure the engine with CUDA graphs of PyTorch's operators."""
    bench = EngineBench(options.checkpoint, placement, figures, kernels="plain")
    bench.measure_plain(options.streams[:PLAIN_COUNTS], options.frames, options.burst)


def http(options: argparse.Namespace, placement: Placement, figures: Figures) -> None:
    """Measure the server over HTTP."""
    most = max(options.http_streams)
    with serving(options.checkpoint, placement, most, MAX_POSITIONS) as server:
        for count in options.http_streams:
            run_clients(server, count, 1, min(options.frames, WARM_UP_FRAMES))
            loop = partial(run_clients, server, count, rounds(count), options.frames)
            figures.measure("HTTP", streams_row(count), loop)


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
    "plain": plain,
    "http": http,
    "upstream": upstream,
    "eager": eager,
    "faster-qwen3-tts": faster_qwen3_tts,
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
    ensure_checkpoint(options.size, options.checkpoint, options.device, placement.torch_dtype)
    prepare_triton(options.checkpoint.parent)
    figures = Figures(options.size, options.out)
    attention = {"dtype": placement.dtype, "attention": placement.attention}
    figures.add("model", "placement", attention)
    PARTS[options.part](options, placement, figures)
    return int(figures.failed)


if __name__ == "__main__":
    # Where its time is over, a server's log is printed before it is ended.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
