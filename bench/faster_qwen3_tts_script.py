"""Measure faster-qwen3-tts; run by an interpreter of its own, which has it and not this project.

    <python> bench/faster_qwen3_tts_script.py <checkpoint folder> <frames> <runs>

It needs another transformers than qwen-tts does, so the two cannot share a process. Prints one JSON
object, behind `figures: `: seconds of audio a second, milliseconds a frame and to the first audio
(medians).
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."
SAMPLE_RATE_HZ = 24_000
FRAME_S = 0.08


def main() -> None:
    """Load, warm up, measure."""
    import torch
    from faster_qwen3_tts import FasterQwen3TTS

    folder, frames, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = FasterQwen3TTS.from_pretrained(folder, device="cuda", dtype=torch.bfloat16)
    rows = [measure(model, frames) for _ in range(runs + 1)][1:]
    medians = {name: round(statistics.median(r[name] for r in rows), 2) for name in rows[0]}
    print(f"figures: {json.dumps(medians)}")


def measure(model: Any, frames: int) -> dict[str, float]:
    """Make one utterance of `frames` frames twice: streamed frame by frame, and whole."""
    began = time.perf_counter()
    first, samples = 0.0, 0
    for piece, _, _ in model.generate_custom_voice_streaming(
        text=TEXT,
        speaker="ryan",
        language="english",
        max_new_tokens=frames,
        min_new_tokens=frames,
        chunk_size=1,
    ):
        first = first or time.perf_counter() - began
        samples += len(piece)
    streamed_s = time.perf_counter() - began
    began = time.perf_counter()
    [whole], _ = model.generate_custom_voice(
        text=TEXT, speaker="ryan", language="english", max_new_tokens=frames, min_new_tokens=frames
    )
    seconds = time.perf_counter() - began
    return {
        "x": len(whole) / SAMPLE_RATE_HZ / seconds,
        "ms_per_step": 1000 * seconds / (len(whole) / SAMPLE_RATE_HZ / FRAME_S),
        "first_audio_p50_ms": 1000 * first,
        "x_streamed": samples / SAMPLE_RATE_HZ / streamed_s,
    }


if __name__ == "__main__":
    main()
