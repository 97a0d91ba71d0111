"""Find out which fused kernel fails, if the engine does without some: they are seldom near a GPU.

    python -m bench.gpu_diagnosis --size 1.7b --checkpoint /tmp/1.7b --out bench/results

Each part's comparison with PyTorch's operators runs alone, in a process of its own, which waits for
every launch: so the traceback is that of the kernel. Where that fails, and there is NVIDIA's
compute-sanitizer, it watches the same with the miniature, and names kernel, block and address.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.figures import SPEED
from bench.gpu_options import add_measuring_options
from bench.gpu_table import read_results

PARTS = ("frame", "codec", "prefill")
WATCHED = "nano"


def main(arguments: Sequence[str] | None = None) -> int:
    """Diagnose what is in the results, or one part of it; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=PARTS, help="compare this one, here")
    parser.add_argument("--size", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    add_measuring_options(parser)
    options = parser.parse_args(arguments)
    if options.part:
        compare(options)
        return 0
    parts = [] if options.device == "cpu" else suspects(options.out, options.size)
    if not parts:
        print("there is nothing to diagnose")
    for part in parts:
        diagnose(part, options)
    return 0


def suspects(out: Path, size: str) -> list[str]:
    """Return the parts whose kernels the engine does without; all, if it has no figures."""
    result = read_results(out).get(size, {}).get("result", {})
    used = result.get("model", {}).get("kernels, auto", {})
    left_out = [part for part in PARTS if used.get(part) == "plain"]
    is_measured = any(SPEED in row for row in result.get("graphs", {}).values())
    return left_out if left_out or is_measured else list(PARTS)


def diagnose(part: str, options: argparse.Namespace) -> None:
    """Compare a part of the published size and, if that fails, of the miniature, watched."""
    if not _run(part, options.size, options.checkpoint, options, {"CUDA_LAUNCH_BLOCKING": "1"}):
        print(f"{part}: agrees", flush=True)
    elif watcher := shutil.which("compute-sanitizer"):
        folder = options.checkpoint.with_name(f"{WATCHED}-watched")
        # By PyTorch's own allocator a wrong address would be in memory that is allocated.
        _run(part, WATCHED, folder, options, {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}, watcher)


def _run(
    part: str,
    size: str,
    checkpoint: Path,
    options: argparse.Namespace,
    environ: dict[str, str],
    *prefix: str,
) -> int:
    command = [*prefix, sys.executable, "-m", "bench.gpu_diagnosis", f"--part={part}"]
    command += [f"--size={size}", f"--checkpoint={checkpoint}", f"--out={options.out}"]
    print(f"{part} of {size}, {' '.join([*environ, *prefix])}:", flush=True)
    return subprocess.run(
        [*command, f"--device={options.device}"], env={**os.environ, **environ}, check=False
    ).returncode


def compare(options: argparse.Namespace) -> None:
    """Compare the fused kernels of a part; raise whatever is wrong."""
    import torch

    from bench.published_sizes import ensure_checkpoint
    from qwen_tts_api.checkpoints.checkpoint import Checkpoint
    from qwen_tts_api.engine.runner.kernels.choice import comparisons, fused_kernels, prepare_triton
    from qwen_tts_api.model.loaded import LoadedModel
    from qwen_tts_api.model.weights.placement import Placement

    torch.cuda.set_device(options.device)
    placement = Placement(options.device, "bfloat16", "sdpa")
    ensure_checkpoint(options.size, options.checkpoint, options.device, placement.torch_dtype)
    prepare_triton(options.checkpoint.parent)
    model = LoadedModel.load(Checkpoint.read(options.checkpoint), placement)
    dict(comparisons(model, fused_kernels()))[options.part]()


if __name__ == "__main__":
    sys.exit(main())
