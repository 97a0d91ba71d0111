"""Count the kernels and bytes of a frame, a chunk and a prefill: `python -m bench.frame_cost 1.7b`.

    python -m bench.frame_cost 1.7b --slots 32 --gpu rtx4090
    python -m bench.frame_cost 0.6b --json

Counted of what is launched, with tensors of the published shapes that have no numbers: no GPU is
needed, and no time is measured. What a GPU would take is a prediction, and is called one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.cards import BANDWIDTH_GB_S, LAUNCH_US
from bench.launches import Launches
from bench.published_sizes import SIZES, empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.chunks import Chunks
from qwen_tts_api.engine.runner.frames import USUAL, PlainFrames
from qwen_tts_api.engine.runner.state import ChunkKey, FrameKey, RunnerState
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.talker_cache import CacheSize

POSITIONS = 512
"""Of a slot: the prompt and half a minute."""

CHUNK_FRAMES = 4
PROMPT_POSITIONS = 60

PARTS = ("frame", "chunk", "prefill")


@dataclass(frozen=True)
class Counted:
    """The launches of a path, by part."""

    parts: dict[str, Launches]

    def figures(self) -> dict[str, int]:
        """Return the number of kernels and of bytes of each part."""
        kernels = {f"{part}_kernels": len(each.all) for part, each in self.parts.items()}
        return kernels | {f"{part}_bytes": each.num_bytes for part, each in self.parts.items()}


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
    plain = count_plain(model, num_slots)
    figures = plain.figures()
    return {
        "model": size,
        "slots": num_slots,
        "positions": POSITIONS,
        "chunk_frames": CHUNK_FRAMES,
        "prompt_positions": PROMPT_POSITIONS,
        "counted": "kernels launched and the bytes of what they read and write; nothing is timed",
        **figures,
        "plain": figures,
        "predicted": predict(figures, gpu),
    }


@torch.inference_mode()
def count_plain(model: LoadedModel, num_slots: int) -> Counted:
    """Return the launches of the plain paths, as the runner calls them."""
    state = RunnerState.allocate(model, CacheSize.whole(num_slots, POSITIONS), flash=False)
    buckets = Buckets(num_slots, POSITIONS, captured=True, reads_by_length=False)
    frames = PlainFrames(model.speech, state, buckets, None)
    chunks = Chunks(model.codec, state, buckets, None)
    embeds = model.prompts.tts_pad.expand(1, PROMPT_POSITIONS, -1)
    index = torch.empty(1, dtype=torch.int64, device="meta")
    return Counted(
        {
            "frame": _record(lambda: frames.compute(state, FrameKey(num_slots, POSITIONS, USUAL))),
            "chunk": _record(lambda: chunks.compute(state, ChunkKey(num_slots, CHUNK_FRAMES))),
            "prefill": _record(
                lambda: prefill_slots(model.speech, state.speech, embeds, index, index, USUAL)
            ),
        }
    )


def _record(function: Callable[[], object]) -> Launches:
    with Launches().recording() as launches:
        function()
    return launches


def predict(figures: dict[str, int], gpu: str) -> dict[str, Any]:
    """Return what the counts predict of each part on a GPU, in ms.

    The bound is what its memory takes to move the bytes once; launches take their time whatever
    they move. The larger of the two is a lower bound of the part.
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
    predicted = document["predicted"]
    lines = [
        f"{document['model']}: slots {document['slots']}, positions {document['positions']}, "
        f"a chunk of {document['chunk_frames']} frames, a prompt of "
        f"{document['prompt_positions']} positions",
        f"Counted: {document['counted']}.",
        f"{'':10}{'plain kernels':>15}{'plain MB':>12}",
    ]
    for part in PARTS:
        figures = document["plain"]
        megabytes = figures[f"{part}_bytes"] / 1e6
        lines.append(f"{part:10}{figures[f'{part}_kernels']:15,}{megabytes:12,.1f}")
    least, most = LAUNCH_US
    lines.append(
        f"Predicted for {predicted['gpu']} ({predicted['bandwidth_gb_s']:,} GB/s, {least} to "
        f"{most} us a kernel in a graph), in ms:"
    )
    for part in PARTS:
        low, high = predicted[part]["launches_ms"]
        lines.append(
            f"{part:10} bandwidth {predicted[part]['bandwidth_ms']}, launches {low} to {high}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
