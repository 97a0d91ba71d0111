"""Count the kernels and bytes of a frame, a chunk and a prefill: `python -m bench.frame_cost 1.7b`.

    python -m bench.frame_cost 1.7b --slots 32 --gpu rtx4090
    python -m bench.frame_cost 0.6b --json

Counted of what is launched, with tensors of the published shapes that have no numbers: no GPU is
needed, and no time is measured. What a GPU would take is a prediction, and is called one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cards import BANDWIDTH_GB_S, LAUNCH_US
from bench.launches import Launches
from bench.paths import (
    CHUNK_FRAMES,
    PARTS,
    POSITIONS,
    PROMPT_POSITIONS,
    fused_launches,
    plain_launches,
)
from bench.published_sizes import SIZES, empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.kernels.choice import fused_kernels
from qwen_tts_api.engine.runner.kernels.paths import PLAIN


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("size", choices=sorted(SIZES))
    parser.add_argument("--slots", type=int, default=1, help="utterances at once (default: 1)")
    parser.add_argument("--gpu", choices=BANDWIDTH_GB_S, default="h200", help="default: h200")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    options = parser.parse_args(arguments)
    document = measure(options.size, options.slots, options.gpu)
    print(json.dumps(document, indent=2) if options.json else table(document))
    return 0


def measure(size: str, num_slots: int, gpu: str) -> dict[str, Any]:
    """Return what is counted of a size, and what that predicts for a GPU."""
    with tempfile.TemporaryDirectory() as cache:
        model = empty_model(size, locate("nano", Path(cache)))
    plain = plain_launches(model, num_slots)
    fused = fused_launches(model, num_slots, fused_kernels() if has_triton() else PLAIN)
    used = _figures({**plain, **fused})
    return {
        "model": size,
        "slots": num_slots,
        "positions": POSITIONS,
        "chunk_frames": CHUNK_FRAMES,
        "prompt_positions": PROMPT_POSITIONS,
        "counted": "kernels launched, and the bytes of what they read and write; nothing is timed",
        "fused": sorted(fused),
        **used,
        "plain": _figures(plain),
        "predicted": predict(used, gpu),
    }


def has_triton() -> bool:
    """Whether fused kernels can be counted here."""
    return importlib.util.find_spec("triton") is not None


def _figures(parts: dict[str, Launches]) -> dict[str, int]:
    kernels = {f"{part}_kernels": len(parts[part].all) for part in PARTS}
    return kernels | {f"{part}_bytes": parts[part].num_bytes for part in PARTS}


def predict(figures: dict[str, int], gpu: str) -> dict[str, Any]:
    """Return what the counts predict of each part on a GPU, in ms.

    Its memory takes the one to move the bytes once, and launches the other, whatever they move. The
    larger of the two is what to expect at best.
    """
    bandwidth = BANDWIDTH_GB_S[gpu]
    parts = {
        part: {
            "bandwidth_ms": round(figures[f"{part}_bytes"] / bandwidth / 1e6, 3),
            "launches_ms": [
                round(figures[f"{part}_kernels"] * each / 1000, 2) for each in LAUNCH_US
            ],
        }
        for part in PARTS
    }
    return {"gpu": gpu, "bandwidth_gb_s": bandwidth, "launch_us": list(LAUNCH_US), **parts}


def table(document: dict[str, Any]) -> str:
    """Return the figures for people."""
    least, most = LAUNCH_US
    predicted, plain = document["predicted"], document["plain"]
    lines = [
        f"{document['model']}: slots {document['slots']}, positions {document['positions']}, "
        f"a chunk of {document['chunk_frames']} frames, a prompt of "
        f"{document['prompt_positions']} positions",
        f"Counted: {document['counted']}.",
        f"{'':8}{'plain kernels':>15}{'MB':>10}{'fused kernels':>15}{'MB':>10}",
    ]
    for part in PARTS:
        cells = _cells(plain, part)
        cells += _cells(document, part) if part in document["fused"] else f"{'-':>15}{'-':>10}"
        lines.append(f"{part:8}{cells}")
    lines.append(
        f"Predicted for {predicted['gpu']} in ms, not measured ({predicted['bandwidth_gb_s']:,} "
        f"GB/s, {least} to {most} us a kernel in a graph), with the fused kernels that there are:"
    )
    for part in PARTS:
        low, high = predicted[part]["launches_ms"]
        bound = predicted[part]["bandwidth_ms"]
        lines.append(f"{part:8}at least {bound} for its bytes; {low} to {high} for its launches")
    return "\n".join(lines)


def _cells(figures: dict[str, Any], part: str) -> str:
    return f"{figures[f'{part}_kernels']:15,}{figures[f'{part}_bytes'] / 1e6:10,.1f}"


if __name__ == "__main__":
    sys.exit(main())
