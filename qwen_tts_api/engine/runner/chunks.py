"""Chunks of frames of several slots to samples, and the graphs that they are captured in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.graphs import Graph, GraphCache, GraphPool
from qwen_tts_api.engine.runner.interface import HISTORY_FRAMES
from qwen_tts_api.engine.runner.kernels.paths import CodecKernels
from qwen_tts_api.engine.runner.state import ChunkKey, RunnerState
from qwen_tts_api.model.codec.decoder import decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.weights.placement import to_device

CHUNK_SIZES = (1, 2, 4, 8, 12, 24)
"""How many frames there may be in a chunk."""


class Chunks:
    """Chunks of the frames in the history: a graph for each batch size and number of frames.

    Args:
        codec: The weights.
        state: Every slot's.
        buckets: The batch sizes.
        pool: Where graphs are captured; None: nothing is.
        kernels: What decodes; None: PyTorch's operators.
    """

    def __init__(
        self,
        codec: CodecWeights,
        state: RunnerState,
        buckets: Buckets,
        pool: GraphPool | None,
        kernels: CodecKernels | None = None,
    ) -> None:
        self._codec = codec
        self._kernels = kernels
        self._state = state
        self._buckets = buckets
        self._graphs: GraphCache[RunnerState, ChunkKey] = GraphCache(self.compute, state, pool)

    def __len__(self) -> int:
        """Return how many graphs have been captured."""
        return len(self._graphs)

    def run(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> Tensor:
        """Decode the next frames of some slots: int16 `[n, samples]`, to be copied at once.

        Args:
            slots: Distinct.
            starts: The number of each slot's first frame.
            num_frames: One of `CHUNK_SIZES`.
        """
        num_slots = self._buckets.slots_for(len(slots))
        # Graphs are captured for a few batch sizes. The batch is padded with the codec's last slot,
        # which no utterance has.
        padding = num_slots - len(slots)
        state, device = self._state, self._state.history.device
        padded = to_device([*slots, *[self._buckets.max_slots] * padding], device)
        state.chunk_slots[:num_slots].copy_(padded)
        state.chunk_starts[:num_slots].copy_(to_device([*starts, *[0] * padding], device))
        return self._graphs(ChunkKey(num_slots, num_frames))[: len(slots)]

    def graphs(self, num_slots: int) -> Iterator[Graph]:
        """Yield the graphs of one batch size, the largest first."""
        for num_frames in reversed(CHUNK_SIZES):
            yield Graph(self._graphs, ChunkKey(num_slots, num_frames))

    def compute(self, state: RunnerState, key: ChunkKey) -> Tensor:
        """Decode chunks of `chunk_slots`: what a graph is captured of."""
        slots, starts = state.chunk_slots[: key.num_slots], state.chunk_starts[: key.num_slots]
        offsets = torch.arange(key.num_frames, device=slots.device)
        frames = (starts.unsqueeze(-1) + offsets) % HISTORY_FRAMES
        codes = state.history[slots.unsqueeze(-1), frames]
        if self._kernels is None:
            return decode_pcm(self._codec, state.codec, codes, slots)
        return self._kernels.decode(state.codec, codes, slots)
