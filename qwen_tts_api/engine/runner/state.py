"""The tensors that captured functions read and change, and what they are captured for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from qwen_tts_api.engine.memory.planning import max_text_rows
from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.rows import FrameState
from qwen_tts_api.model.sampling import Truncation

HISTORY_FRAMES = 64
"""Frames of each row that are kept for the codec; the scheduler never lets more wait."""


class FrameKey(NamedTuple):
    """What a graph of one frame is captured for."""

    num_rows: int
    kv_len: int
    truncation: Truncation


class ChunkKey(NamedTuple):
    """What a graph of the codec is captured for."""

    num_rows: int
    num_frames: int


@dataclass(frozen=True)
class RunnerState:
    """Every tensor that frames and chunks read and change. Allocated once.

    Attributes:
        rows: What belongs to the rows of the language models.
        codec: What belongs to the codec's streams: one a row, and one that nobody reads.
        history: `[R + 1, HISTORY_FRAMES, G]` int64: the latest frames of each row, as a ring.
        slots: `[R]` int64: the streams of a batch of chunks.
        starts: `[R]` int64: the first frame of each chunk of that batch.
        row_numbers: `[R]` int64: 0, 1, ...
    """

    rows: FrameState
    codec: CodecState
    history: Tensor
    slots: Tensor
    starts: Tensor
    row_numbers: Tensor

    @classmethod
    def allocate(
        cls, model: LoadedModel, max_rows: int, max_positions: int, flash: bool
    ) -> RunnerState:
        """Return the state of `max_rows` rows, none of them running."""
        device = torch.device(model.placement.device)
        groups = model.codec.num_code_groups

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return cls(
            rows=FrameState.allocate(
                model.speech,
                max_rows,
                max_positions,
                max_text_rows(model.card, max_positions),
                flash,
            ),
            codec=CodecState.allocate(model.codec, max_rows + 1),
            history=integers(max_rows + 1, HISTORY_FRAMES, groups),
            slots=integers(max_rows),
            starts=integers(max_rows),
            row_numbers=torch.arange(max_rows, device=device),
        )
