"""From a model's id to a model that has said its first word. Imports PyTorch only when called."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_tts_api.model import checkpoint
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.nano import NANO_KINDS

if TYPE_CHECKING:
    from qwen_tts_api.model.upstream import UpstreamModel

logger = logging.getLogger(__name__)


def load_model(
    model_id: str,
    *,
    device: str,
    dtype: str,
    attention: str,
    cache_dir: Path,
    check: Callable[[ModelCard], None],
    report: Callable[[str], None],
) -> UpstreamModel:
    """Find, load and warm up a model.

    Args:
        model_id: As for `checkpoint.locate`.
        device: `cpu` or `cuda:N`.
        dtype: `bfloat16`, `float16` or `float32`.
        attention: `flash_attention_2`, `sdpa` or `eager`.
        cache_dir: Where nano checkpoints are built.
        check: Told what the model can do, before its weights are downloaded; may raise.
        report: Told what is being done, for people who wait.

    Raises:
        LoadError: The checkpoint or the device is not there, or the memory does not suffice.
        StartupError: What `check` raises.
    """
    report("importing PyTorch")
    # OpenMP's threads spin between PyTorch's operators. Where other work wants the same cores, that
    # makes a frame of nano take 300 ms instead of 42 (2 threads on 2 shared cores). Read at import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from qwen_tts_api.model.placement import place

    placement = place(device, dtype, attention)
    if model_id in NANO_KINDS:
        logger.warning(
            "%s is a miniature with random weights: it makes audible noise, not speech. "
            "Set QWEN_MODEL_ID to a published checkpoint for speech.",
            model_id,
        )
    report("finding the checkpoint")
    check(checkpoint.describe(model_id, cache_dir))
    folder = checkpoint.locate(model_id, cache_dir)
    card = checkpoint.read_card(folder)
    report("importing qwen-tts")
    from qwen_tts_api.model.upstream import UpstreamModel

    report("loading the weights")
    model = UpstreamModel.load(folder, card, placement)
    report("warming up")
    model.warm_up()
    return model
