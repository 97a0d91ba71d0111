"""How many utterances fit into a device's memory at once; decided before they are allocated.

    slots x (a slot + its working memory) + pages =
        available - cloned voices - prompts' beginnings - working memory

- Available is what is free when the weights are loaded, less a share that is left alone.
- There are as many slots as are wanted, as long as each can have half a minute; and as many pages
  as fit, at least for one utterance of all positions, at most for one in every slot.
- A slot (text, the codec's stream), a page (keys and values) and a voice are computed from the
  shapes.
- Working memory is what frames, chunks, prompts and recordings take while they are computed, with
  the graphs that are captured of them. Kernels and the allocator decide it, so it is measured
  (`profiling`) on a GPU. On a CPU the share that is left alone has to do for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch

from qwen_tts_api.engine.memory.host import free_host_bytes, total_host_bytes
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.talker_cache import FLASH_PAGE_POSITIONS, PAGE_POSITIONS, CacheSize
from qwen_tts_api.model.utterance import MAX_TRAILING_TOKENS

logger = logging.getLogger(__name__)

GIB = 2**30

CPU_SHARE_LEFT = 0.1
"""Share of the free memory that is left to activations and to other programs."""

GPU_SHARE_LEFT = 0.05
"""Share of all memory that is left to the allocator's gaps and to errors of measurement."""

MAX_VOICES = 32
"""Cloned voices that are kept, each with its stream of the codec: 5 MB in 32 bits."""

MAX_PREFIX_POSITIONS = 2048
"""Of the prefix cache: 20 prefixes with an instruction of 90 tokens, or 200 of speakers without
one. They take 224 MB."""

PREFIX_SHARE = 1 / 32
"""Share of the available memory that the prefix cache may have at most."""

USUAL_POSITIONS = 512
"""Of half a minute: 375 frames, its text, and an instruction."""


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
class Costs:
    """What slots and pages take.

    Attributes:
        slot_bytes: Text and the codec's state of one utterance.
        page_bytes: Keys and values of one page of positions.
    """

    slot_bytes: int
    page_bytes: int

    def position_bytes(self, size: CacheSize) -> int:
        """Return what the keys and values of one position take."""
        return self.page_bytes // size.page_positions

    def of(self, size: CacheSize) -> int:
        """Return what so many slots and pages take; no utterance has the page of scratch."""
        return size.max_slots * self.slot_bytes + (1 + size.num_pages) * self.page_bytes


@dataclass(frozen=True)
class MemoryPlan:
    """The memory that a model and its utterances take.

    Attributes:
        device: Whose memory.
        size: How many slots and pages there are.
        weights_bytes: The model.
        costs: What a slot and a page take.
        voices_bytes: For cached voices of recordings.
        prefix_bytes: For the prefix cache.
        working: The working memory.
        available_bytes: What was free for slots, pages, and the slots' part of the working memory.
    """

    device: str
    size: CacheSize
    weights_bytes: int
    costs: Costs
    voices_bytes: int
    prefix_bytes: int
    working: WorkingMemory
    available_bytes: int

    @property
    def max_slots(self) -> int:
        """Utterances at once."""
        return self.size.max_slots

    @property
    def num_prefix_positions(self) -> int:
        """How many positions there are for the beginnings of prompts."""
        return self.prefix_bytes // max(1, self.costs.position_bytes(self.size))

    def __str__(self) -> str:
        slots, pages = self.size.max_slots, self.size.num_pages
        slot_bytes = self.costs.slot_bytes + self.working.slot_bytes
        taken = self.costs.of(self.size) + slots * self.working.slot_bytes
        return (
            f"{self.weights_bytes / GIB:.2f} GiB of weights, {self.working.fixed_bytes / GIB:.2f} "
            f"to compute in, {slots} utterances at once of {slot_bytes / 2**20:.1f} MiB, with "
            f"{pages} pages of {self.costs.page_bytes / 2**20:.1f} MiB for "
            f"{pages * self.size.page_positions} positions in all: {taken / GIB:.2f} of "
            f"{self.available_bytes / GIB:.2f} GiB that are free for them"
        )


def plan_memory(
    model: LoadedModel,
    max_slots: int,
    max_positions: int,
    working: WorkingMemory = WorkingMemory(),
    *,
    keeps_prefixes: bool = False,
) -> MemoryPlan:
    """Plan as many slots as are wanted, with pages for all their positions, or as many as fit.

    Args:
        model: The model, with its weights in memory.
        max_slots: The wanted number of slots.
        max_positions: The maximum positions of one utterance.
        working: The working memory.
        keeps_prefixes: Whether there is a prefix cache.

    Raises:
        LoadError: Not even one utterance of `max_positions` fits.
    """
    wanted = CacheSize.whole(max_slots, max_positions, page_positions(model))
    costs = costs_of(model, wanted)
    voices_bytes = MAX_VOICES * _stream_bytes(model) if model.card.kind == "base" else 0
    available = available_bytes(model.placement.device) - voices_bytes - working.fixed_bytes
    prefix_bytes = prefix_bytes_of(costs.position_bytes(wanted), available) if keeps_prefixes else 0
    available -= prefix_bytes
    each = replace(costs, slot_bytes=costs.slot_bytes + working.slot_bytes)
    size = size_that_fits(available, each, wanted)
    device = model.placement.device
    plan = MemoryPlan(
        device, size, model.num_bytes, costs, voices_bytes, prefix_bytes, working, available
    )
    if size.max_slots < 1:
        raise LoadError(
            f"{model.placement.device} has too little memory: {plan}. Set QWEN_MAX_POSITIONS "
            "lower, or QWEN_MODEL_ID to a smaller checkpoint."
        )
    if size.max_slots < max_slots:
        logger.warning("only %d of QWEN_MAX_STREAMS=%d fit into memory", size.max_slots, max_slots)
    return plan


def size_that_fits(free: int, costs: Costs, wanted: CacheSize) -> CacheSize:
    """Return the wanted slots and pages, or as many as fit; no slots where one utterance does not.

    One utterance must be able to have all positions that it may, and each slot the usual number.

    Args:
        free: Bytes.
        costs: Of a slot and a page.
        wanted: All there could be.
    """
    free -= costs.page_bytes  # scratch
    longest, usual = wanted.pages_per_slot, -(-USUAL_POSITIONS // wanted.page_positions)
    each = costs.slot_bytes + min(longest, usual) * costs.page_bytes
    slots = min(wanted.max_slots, free // each)
    if slots * costs.slot_bytes + longest * costs.page_bytes > free:
        slots = (free - longest * costs.page_bytes) // max(1, costs.slot_bytes)
    slots = max(0, slots)
    pages = (free - slots * costs.slot_bytes) // costs.page_bytes
    return replace(
        wanted, max_slots=slots, num_pages=max(0, min(pages, slots * wanted.pages_per_slot))
    )


def prefix_bytes_of(position_bytes: int, available: int) -> int:
    """Return the size of the prefix cache in bytes: whole positions of the available memory."""
    num_positions = min(MAX_PREFIX_POSITIONS, int(available * PREFIX_SHARE) // position_bytes)
    return max(0, num_positions) * position_bytes


def page_positions(model: LoadedModel) -> int:
    """Return how many positions a page has."""
    flash = model.placement.attention == "flash_attention_2"
    return FLASH_PAGE_POSITIONS if flash else PAGE_POSITIONS


def costs_of(model: LoadedModel, size: CacheSize) -> Costs:
    """Return what a slot and a page of a size take."""
    talker = model.speech.talker.decoder
    heads, element = talker.heads, talker.norm.element_size()
    position = len(talker.layers) * 2 * heads.num_kv * heads.head_dim
    text = max_text_embeddings(size.max_positions) * talker.norm.shape[0]
    return Costs(
        slot_bytes=element * text + _stream_bytes(model),
        page_bytes=element * position * size.page_positions,
    )


def max_text_embeddings(max_positions: int) -> int:
    """Return how many text embeddings a slot has room for."""
    return min(max_positions, MAX_TRAILING_TOKENS)


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
