"""How many utterances fit into a device's memory at once; decided before they are allocated.

    slots = (available - cloned voices - working memory) / (a slot + its working memory)

- Available is what is free when the weights are loaded, less a share that is left alone.
- A slot (keys and values, text, the codec's stream) and a voice are computed from the shapes.
- Working memory is what frames, chunks and prompts take while they are computed, with the graphs
  that are captured of them. Kernels and the allocator decide it, so it is measured (`profiling`)
  on a GPU. On a CPU the share that is left alone has to do for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.memory.host import free_host_bytes, total_host_bytes
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import LoadedModel

logger = logging.getLogger(__name__)

GIB = 2**30

CPU_SHARE_LEFT = 0.1
"""Of what is free, left to activations and to whatever else the machine does."""

GPU_SHARE_LEFT = 0.05
"""Of all memory, left to the allocator's gaps, and to what is not measured exactly."""

MAX_VOICES = 32
"""Cloned voices that are kept, each with its stream of the codec: 5 MB in 32 bits."""


@dataclass(frozen=True)
class WorkingMemory:
    """The memory that computing takes besides weights and slots.

    Attributes:
        fixed_bytes: However many slots there are.
        slot_bytes: More for each slot.
    """

    fixed_bytes: int = 0
    slot_bytes: int = 0


@dataclass(frozen=True)
class MemoryPlan:
    """The memory that a model and its slots take.

    Attributes:
        max_slots: Utterances at once.
        weights_bytes: The model.
        slot_bytes: Keys and values, text and the codec's state of one utterance.
        voices_bytes: What cloned voices may take that are kept for their next utterance.
        working: What computing takes.
        available_bytes: What was free for the slots and their part of the working memory.
    """

    max_slots: int
    weights_bytes: int
    slot_bytes: int
    voices_bytes: int
    working: WorkingMemory
    available_bytes: int

    def __str__(self) -> str:
        slot_bytes = self.slot_bytes + self.working.slot_bytes
        return (
            f"{self.weights_bytes / GIB:.2f} GiB of weights, {self.working.fixed_bytes / GIB:.2f} "
            f"to compute in, {self.max_slots} utterances at once of {slot_bytes / 2**20:.1f} MiB: "
            f"{self.max_slots * slot_bytes / GIB:.2f} of {self.available_bytes / GIB:.2f} GiB that "
            "are free for them"
        )


def plan_memory(
    model: LoadedModel,
    max_slots: int,
    max_positions: int,
    working: WorkingMemory = WorkingMemory(),
) -> MemoryPlan:
    """Return how many slots there can be: `max_slots`, or as many as fit.

    Raises:
        LoadError: Not even one fits.
    """
    slot = slot_bytes(model, max_positions)
    voices_bytes = MAX_VOICES * _stream_bytes(model) if model.card.kind == "base" else 0
    available = available_bytes(model.placement.device) - voices_bytes - working.fixed_bytes
    fitting = max(0, min(max_slots, available // (slot + working.slot_bytes)))
    plan = MemoryPlan(fitting, model.num_bytes, slot, voices_bytes, working, available)
    if fitting < 1:
        raise LoadError(
            f"{model.placement.device} has too little memory: {plan}. Set QWEN_MAX_POSITIONS "
            "lower, or QWEN_MODEL_ID to a smaller checkpoint."
        )
    if fitting < max_slots:
        logger.warning("only %d of QWEN_MAX_STREAMS=%d fit into memory", fitting, max_slots)
    return plan


def slot_bytes(model: LoadedModel, max_positions: int) -> int:
    """Return what one slot takes: keys and values, text, and the codec's stream."""
    talker = model.speech.talker.decoder
    heads, size = talker.heads, talker.norm.element_size()
    key_value = len(talker.layers) * max_positions * 2 * heads.num_kv * heads.head_dim
    text = max_text_embeddings(model.card, max_positions) * talker.norm.shape[0]
    return size * (key_value + text) + _stream_bytes(model)


def max_text_embeddings(card: ModelCard, max_positions: int) -> int:
    """Return how many text embeddings a slot has room for: cloned voices have text in frames."""
    return max_positions if card.kind == "base" else 0


def _stream_bytes(model: LoadedModel) -> int:
    codec = model.codec
    past = sum(stage.past_shape[0] * stage.past_shape[1] for stage in codec.streaming_stages())
    transformer = codec.transformer
    window = len(transformer.layers) * (transformer.window - 1)
    codec_kv = window * 2 * transformer.num_kv * transformer.head_dim
    return codec.dtype.itemsize * (past + codec_kv)


def available_bytes(device: str) -> int:
    """Return how much of a device's memory may be allocated: what is free, less a share."""
    free, total = free_bytes(device)
    return free - int(free * CPU_SHARE_LEFT if device == "cpu" else total * GPU_SHARE_LEFT)


def free_bytes(device: str) -> tuple[int, int]:
    """Return how much of a device's memory is free, and how much there is."""
    if device == "cpu":
        return free_host_bytes(), total_host_bytes()
    return torch.cuda.mem_get_info(device)
