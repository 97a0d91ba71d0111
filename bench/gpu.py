"""`make bench-gpu`: the published sizes on a GPU, with random weights; needs no network.

    python -m bench.gpu --size 1.7b --size 0.6b --out bench/results

Each part of a size is a process of its own under a limit of its own, and every figure is written as
it comes. `--device cpu --size nano` runs every line of it on a machine without a GPU.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import nvidia
from bench.__main__ import RESULTS
from bench.gpu_options import add_measuring_options, passed_on
from bench.gpu_table import write_table
from bench.parts import Outcome, Part, run_parts, say

SIZES = ("1.7b", "0.6b", "nano")
SECONDS = 480.0

SHARES = {
    "graphs": 20.0,
    "http": 10.0,
    "diagnosis": 8.0,
    "plain": 5.0,
    "codec": 3.5,
    "upstream": 4.5,
    "faster-qwen3-tts": 5.0,
    "eager": 3.0,
}
"""Of a size's time, what matters most first. What a part does not need it leaves to those that
follow."""

OF_FIRST_SIZE = {"diagnosis", "plain", "codec", "eager"}
"""Parts of the first size alone: another would tell the same. So all fit into eight minutes, by an
estimate."""

LARGEST, LARGEST_SHARE = "1.7b", 1.5
"""It takes longer than the others, whose share is 1."""


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go")
    add_session_options(parser)
    options = parser.parse_args()
    if options.device != "cpu":
        require_device(parser, options.device)
    with tempfile.TemporaryDirectory() as scratch:
        return run(parts_of(options, Path(scratch)), options)


def require_device(parser: argparse.ArgumentParser, device: str) -> None:
    """Exit where PyTorch does not see a device: each part would fail by itself."""
    from qwen_tts_api.errors import LoadError
    from qwen_tts_api.model.weights.placement import place

    try:
        place(device, "bfloat16", "sdpa")
    except LoadError as error:
        parser.error(str(error))


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Add the options: what is measured, and the time limit."""
    parser.add_argument("--size", action="append", choices=SIZES, help="default: 1.7b, 0.6b")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that all may take")
    add_measuring_options(parser)


def sizes_of(options: argparse.Namespace) -> Sequence[str]:
    """Return the sizes to measure, in order."""
    return options.size or SIZES[:2]


def parts_of(options: argparse.Namespace, scratch: Path) -> list[Part]:
    """Return the parts of every size, and the plot."""
    parts = []
    for size in sizes_of(options):
        for name, share in SHARES.items():
            if name in OF_FIRST_SIZE and size != sizes_of(options)[0]:
                continue
            module = ["bench.gpu_diagnosis"] if name == "diagnosis" else ["bench.gpu_part", name]
            command = [
                *(sys.executable, "-m", *module),
                f"--size={size}",
                f"--checkpoint={scratch / size}",
                f"--out={options.out}",
                *passed_on(options),
            ]
            factor = LARGEST_SHARE if size == LARGEST else 1.0
            parts.append(Part(f"{size}: {name}", command, share * factor))
    return [*parts, Part("picture", [sys.executable, "-m", "bench.plot", str(options.out)], 1.0)]


def run(parts: Sequence[Part], options: argparse.Namespace) -> int:
    """Run parts, and write a table of what they measured; return the exit status.

    Ended by SIGTERM, it ends the part that runs, and the table has what there is.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    out: Path = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        for size in sizes_of(options):
            (out / f"gpu_{size}.json").unlink(missing_ok=True)
        log = (out / "gpu.log").open("w")
    except OSError as error:
        sys.exit(f"error: {out} cannot be written: {error.strerror}")
    outcomes: list[Outcome] = []
    try:
        with log:
            for outcome in run_parts(parts, options.seconds, log):
                outcomes.append(outcome)
                write_table(out, parts, outcomes)
                if outcome.ending != "passed" and options.device != "cpu":
                    say(nvidia.overview(), log)
    finally:
        print(write_table(out, parts, outcomes), flush=True)
    return int(any(outcome.ending != "passed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
