"""qwen-tts, the reference implementation for benchmarks and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.weights.placement import Placement


def load_upstream(folder: Path, placement: Placement) -> Any:
    """Load a checkpoint as upstream's `Qwen3TTSModel`."""
    return import_qwen_tts().Qwen3TTSModel.from_pretrained(
        str(folder),
        device_map=placement.device,
        dtype=placement.torch_dtype,
        attn_implementation=placement.attention,
    )
