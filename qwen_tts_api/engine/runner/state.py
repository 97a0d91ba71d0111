"""The static tensors of captured functions, and the keys that the functions are captured for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from qwen_tts_api.engine.memory.planning import max_text_embeddings
from qwen_tts_api.engine.runner.interface import HISTORY_FRAMES
from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.talker_cache import CacheSize


class FrameKey(NamedTuple):
    """The static arguments of a graph of one frame."""

    num_slots: int
    kv_len: int
    top_k_top_p: TopKTopP


class ChunkKey(NamedTuple):
    """The static arguments of a graph that decodes a chunk."""

    num_slots: int
    num_frames: int


@dataclass(frozen=True)
class RunnerState:
    """All tensors that frames and chunks read and write; allocated once. R is the number of slots.

    Attributes:
        speech: The slots of the language models.
        codec: The codec's state: a stream for each slot, and slot R, which pads batches.
        history: `[R + 1, HISTORY_FRAMES, G]` int64: the latest frames of each slot, a ring buffer.
        chunk_slots: `[R]` int64: the slots of a batch of chunks.
        chunk_starts: `[R]` int64: the number of the first frame of each chunk.
        slot_numbers: `[R]` int64: 0, 1, ...
    """

    speech: FrameState
    codec: CodecState
    history: Tensor
    chunk_slots: Tensor
    chunk_starts: Tensor
    slot_numbers: Tensor

    @classmethod
    def allocate(cls, model: LoadedModel, size: CacheSize, flash: bool) -> RunnerState:
        """Return the state of slots of which none is running."""
        device = torch.device(model.placement.device)
        groups, max_slots = model.codec.num_code_groups, size.max_slots

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return cls(
            speech=FrameState.allocate(
                model.speech, size, max_text_embeddings(size.max_positions), flash
            ),
            codec=CodecState.allocate(model.codec, max_slots + 1),
            history=integers(max_slots + 1, HISTORY_FRAMES, groups),
            chunk_slots=integers(max_slots),
            chunk_starts=integers(max_slots),
            slot_numbers=torch.arange(max_slots, device=device),
        )
