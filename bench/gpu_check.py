"""Check whether a machine can run the benchmarks: versions, the device, one utterance.

python -m bench.gpu_check cuda:0
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from bench import nvidia
from bench.engine_speed import fail
from qwen_tts_api.checkpoints.nano import SPEAKING
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.loading import LoadOptions, load_runner
from qwen_tts_api.engine.runner.kernels.compiler import compiler_obstacle
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt, SamplingParams

PACKAGES = "torch triton numpy numba safetensors transformers tokenizers qwen-tts flash-attn"


def main() -> int:
    """Print versions and devices; fail if they do not suffice."""
    device = sys.argv[1]
    print(f"Python {platform.python_version()}, {sys.executable}")
    for name in PACKAGES.split():
        print(f"{name} {_version(name)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        free_gb = shutil.disk_usage(folder).free / 1e9
        obstacle = compiler_obstacle(Path(folder))
        print(f"{folder} is on a disk with {free_gb:.0f} GB free; the checkpoints take 7")
    print(f"what compiles for Triton: {obstacle or 'works'}", flush=True)
    if device != "cpu":
        print(nvidia.overview(), flush=True)
        print(f"PyTorch is for CUDA {torch.version.cuda}; a device: {torch.cuda.is_available()}")
    _speak(device)
    began = time.perf_counter()
    from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts

    import_qwen_tts()
    print(f"qwen-tts imports in {time.perf_counter() - began:.1f} s")
    return 0


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _speak(device: str) -> None:
    """Synthesize a sentence with the embedded checkpoint; no graph or kernel is made for it."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        options = LoadOptions(
            device, "float32", "sdpa", Path(cache), 1, 512, enforce_eager=True, kernels="plain"
        )
        runner = load_runner(SPEAKING, options, lambda card: None, print, lambda: None)
    print(f"{SPEAKING} is loaded on {device} after {time.perf_counter() - began:.1f} s", flush=True)
    scheduler = Scheduler(runner, fail)
    job = Job(Prompt("This machine can speak.", "english", "ryan", "", SamplingParams(seed=1)))
    began = time.perf_counter()
    scheduler.add(job)
    pieces = []
    while not scheduler.is_idle:
        scheduler.step()
        while (piece := job.take()) is not None:
            pieces.append(piece)
    samples = np.concatenate(pieces)
    loudness = np.sqrt(np.mean(np.square(samples.astype(float)))) / 32768
    seconds = time.perf_counter() - began
    print(f"{len(samples) / SAMPLE_RATE_HZ:.2f} s of audio in {seconds:.2f} s, RMS {loudness:.3f}")
    if not 0.01 < loudness < 0.5:
        raise SystemExit("error: that is no speech")


if __name__ == "__main__":
    sys.exit(main())
