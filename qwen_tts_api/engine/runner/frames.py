"""One frame of the first slots, and the graphs that it is captured in.

Its codes go into the history, from where `chunks` decodes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor

from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.graphs import Graph, GraphCache, GraphPool
from qwen_tts_api.engine.runner.interface import HISTORY_FRAMES
from qwen_tts_api.engine.runner.kernels.paths import FrameKernels, Kernels
from qwen_tts_api.engine.runner.state import FrameKey, RunnerState
from qwen_tts_api.model.frame import advance
from qwen_tts_api.model.frame_state import SpeechModel
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.utterance import SamplingParams

RANKED = 64
"""How many logits are ranked where no slot's top_k is larger (the published default is 50)."""


class Frames(Protocol):
    """Frames of one state, by whatever path."""

    def __len__(self) -> int:
        """Return how many graphs have been captured."""

    def run(self, num_slots: int, end: int, settings: Sequence[SamplingParams]) -> None:
        """Generate a frame of the first slots.

        Args:
            num_slots: More than the number of every running slot.
            end: More than the position of every running slot.
            settings: Of the running slots.
        """

    def graphs(self, num_slots: int) -> Iterator[Graph]:
        """Yield the graphs of one batch size for usual settings, the largest first."""

    def other_graphs(self) -> Iterator[Graph]:
        """Yield a graph of each other kind, so that more of them can be captured in passing."""


class PlainFrames:
    """Frames by PyTorch's operators: a graph for each batch size, length and kind of sampling.

    Args:
        model: The weights.
        state: Every slot's.
        buckets: The batch sizes and lengths.
        pool: Where graphs are captured; None: nothing is.
    """

    def __init__(
        self, model: SpeechModel, state: RunnerState, buckets: Buckets, pool: GraphPool | None
    ) -> None:
        self._model = model
        self._buckets = buckets
        self._graphs: GraphCache[RunnerState, FrameKey] = GraphCache(self.compute, state, pool)

    def __len__(self) -> int:
        """Return how many graphs have been captured."""
        return len(self._graphs)

    def run(self, num_slots: int, end: int, settings: Sequence[SamplingParams]) -> None:
        """Generate a frame: see `Frames`."""
        slots, kv_len = self._buckets.slots_for(num_slots), self._buckets.positions_for(end)
        self._graphs(FrameKey(slots, kv_len, top_k_top_p_for(settings)))

    def graphs(self, num_slots: int) -> Iterator[Graph]:
        """Yield the graphs of one batch size for usual settings, the largest first."""
        for kv_len in reversed(self._buckets.positions):
            yield Graph(self._graphs, FrameKey(num_slots, kv_len, USUAL))

    def other_graphs(self) -> Iterator[Graph]:
        """Yield one graph of each other kind of sampling."""
        for limit in (RANKED, None):
            for top_p in (False, True):
                key = FrameKey(1, self._buckets.positions[0], TopKTopP(limit, top_p))
                yield Graph(self._graphs, key)

    def compute(self, state: RunnerState, key: FrameKey) -> Tensor:
        """Generate a frame: what a graph is captured of."""
        advance(self._model, state.speech, key.num_slots, key.kv_len, key.top_k_top_p)
        _keep_codes(state, key.num_slots)
        return state.speech.code_0


class FusedFrames:
    """Frames by fused kernels: a graph for each batch size, whatever is in the batch.

    Args:
        kernels: Of the state.
        state: Every slot's.
        buckets: The batch sizes.
        pool: Where graphs are captured; None: nothing is.
    """

    def __init__(
        self, kernels: FrameKernels, state: RunnerState, buckets: Buckets, pool: GraphPool | None
    ) -> None:
        self._kernels = kernels
        self._buckets = buckets
        self._graphs: GraphCache[RunnerState, int] = GraphCache(self.compute, state, pool)

    def __len__(self) -> int:
        """Return how many graphs have been captured."""
        return len(self._graphs)

    def run(self, num_slots: int, end: int, settings: Sequence[SamplingParams]) -> None:
        """Generate a frame: see `Frames`."""
        self._graphs(self._buckets.slots_for(num_slots))

    def graphs(self, num_slots: int) -> Iterator[Graph]:
        """Yield the graph of one batch size."""
        yield Graph(self._graphs, num_slots)

    def other_graphs(self) -> Iterator[Graph]:
        """Yield none: there is no other kind."""
        return iter(())

    def compute(self, state: RunnerState, num_slots: int) -> Tensor:
        """Generate a frame: what a graph is captured of."""
        self._kernels.advance(num_slots)
        _keep_codes(state, num_slots)
        return state.speech.code_0


def make_frames(
    model: SpeechModel,
    state: RunnerState,
    buckets: Buckets,
    pool: GraphPool | None,
    kernels: Kernels,
) -> Frames:
    """Return frames by fused kernels, where there are any."""
    if kernels.frame is None:
        return PlainFrames(model, state, buckets, pool)
    return FusedFrames(kernels.frame(model, state.speech), state, buckets, pool)


def _keep_codes(state: RunnerState, num_slots: int) -> None:
    """Put the frames that were just made into the history."""
    # The frame that `codes` is of: a slot that waits writes its latest one once more.
    frames = (state.speech.frames[:num_slots] - 1) % HISTORY_FRAMES
    slots = state.slot_numbers[:num_slots]
    state.history.index_put_((slots, frames), state.speech.codes[:num_slots])


def top_k_top_p_for(settings: Sequence[SamplingParams]) -> TopKTopP:
    """Return how much of top-k and top-p these parameters need, of code 0 and the other codes."""
    limits = [
        1 if temperature == 0 else top_k
        for each in settings
        for temperature, top_k in (
            (each.temperature, each.top_k),
            (each.subtalker_temperature, each.subtalker_top_k),
        )
    ]
    ranked = RANKED if all(0 < limit <= RANKED for limit in limits) else None
    top_p = any(min(each.top_p, each.subtalker_top_p) < 1 for each in settings)
    return TopKTopP(ranked, top_p)


USUAL = top_k_top_p_for([SamplingParams()])
