"""Prompts by fused kernels: captured by numbers of tokens, and without what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.graphs import Graph, GraphCache, GraphPool
from qwen_tts_api.engine.runner.kernels.paths import PrefillKernels
from qwen_tts_api.engine.runner.prefill.prefixes import PrefixCache
from qwen_tts_api.engine.runner.prefill.prepared import Batch, PrefixKey, PreparedPrompt
from qwen_tts_api.engine.runner.prefill.spans import load, runs_of
from qwen_tts_api.engine.runner.state import RunnerState
from qwen_tts_api.model.weights.placement import to_device

MAX_POSITIONS = 4096
"""Between two frames: 64 prompts of a sentence or two, in one batch. They are 12 TFLOP for 1.7B,
which a GPU makes at 300 TFLOP/s in 40 ms (computed, not measured): half a frame."""

WORTH_A_RUN = 256
"""Positions that must be saved for others to wait until one of them has computed their prefix:
about as many as are computed in the time in which the weights are read once more."""


class FusedPrefills:
    """Prompts by fused kernels: a graph for each number of tokens, whatever they belong to.

    Args:
        kernels: Of the state, for as many tokens as the largest bucket has.
        state: Every slot's.
        buckets: The numbers of tokens.
        pool: Where graphs are captured; None: nothing is.
        prefixes: What is kept.
    """

    max_positions = MAX_POSITIONS

    def __init__(
        self,
        kernels: PrefillKernels,
        state: RunnerState,
        buckets: Buckets,
        pool: GraphPool | None,
        prefixes: PrefixCache,
    ) -> None:
        self.uses = prefixes.uses
        self._kernels = kernels
        self._buckets = buckets
        self._prefixes = prefixes
        self._device = state.speech.positions.device
        self._graphs: GraphCache[RunnerState, int] = GraphCache(self.compute, state, pool)

    def __len__(self) -> int:
        """Return how many graphs have been captured."""
        return len(self._graphs)

    def num_positions(self, prompts: Sequence[PreparedPrompt]) -> int:
        """Return how many positions are computed: of a prefix that several have, once."""
        known = {each.prefix_key for each in prompts if each.prefix_key in self._prefixes}
        total = 0
        for each in prompts:
            total += each.num_positions - (each.num_shared if each.prefix_key in known else 0)
            known.add(each.prefix_key)
        return total

    def run(self, batch: Batch) -> None:
        """Run prompts; where many share a prefix that is not known yet, one of them goes ahead."""
        ahead: list[tuple[int, PreparedPrompt]] = []
        others: list[tuple[int, PreparedPrompt]] = []
        begun: set[PrefixKey] = set()
        for slot, prompt in batch:
            key = prompt.prefix_key
            waits = key in begun and key not in self._prefixes
            (others if waits else ahead).append((slot, prompt))
            begun.add(key)
        if sum(prompt.num_shared for _, prompt in others) < WORTH_A_RUN:
            ahead, others = [*batch], []
        for turn in (ahead, others):
            if turn:
                self._run(turn)

    def graphs(self) -> Iterator[Graph]:
        """Yield all graphs, the largest first; they are as large however many slots there are."""
        for num_tokens in reversed(self._buckets.tokens):
            yield Graph(self._graphs, num_tokens)

    def run_largest(self) -> None:
        """Run the largest number of tokens."""
        self._graphs(self._buckets.tokens[-1])

    def forget(self, reference: str) -> None:
        """Discard the prefixes of a recording."""
        self._prefixes.forget(reference)

    def compute(self, state: RunnerState, num_tokens: int) -> Tensor:
        """Run what was loaded: what a graph is captured of."""
        self._kernels.run(num_tokens)
        return state.speech.code_0

    def _run(self, batch: Batch) -> None:
        starts = self._take(batch)
        prompts = [(slot, prompt.talker_prompt) for slot, prompt in batch]
        for spans in runs_of(prompts, starts, self._buckets.tokens[-1]):
            num_tokens = self._buckets.tokens_for(sum(span.end - span.start for span in spans))
            load(self._kernels, spans, num_tokens, self._buckets.max_slots, self._device)
            self._graphs(num_tokens)
        self._keep([one for one, start in zip(batch, starts, strict=True) if not start])

    def _take(self, batch: Batch) -> list[int]:
        """Copy known prefixes to slots; return where the rest of each prompt begins."""
        places: list[tuple[int, int, int]] = []
        starts = []
        for slot, prompt in batch:
            found = self._prefixes.find(prompt.prefix_key)
            places += [(place, slot, position) for position, place in enumerate(found)]
            starts.append(len(found))
        if places:
            self._kernels.take_prefixes(self._prefixes.store, self._rows(places))
        return starts

    def _keep(self, batch: Batch) -> None:
        """Keep the prefixes of prompts that were run, as far as there is room."""
        new = {prompt.prefix_key: (slot, prompt.num_shared) for slot, prompt in batch}
        rooms = {key: self._prefixes.make_room(length) for key, (_, length) in new.items()}
        rooms = {key: room for key, room in rooms.items() if room}
        if not rooms:
            return
        rows = [
            (place, new[key][0], position)
            for key, room in rooms.items()
            for position, place in enumerate(room)
        ]
        try:
            self._kernels.keep_prefixes(self._prefixes.store, self._rows(rows))
        except Exception:
            for room in rooms.values():
                self._prefixes.give_back(room)
            raise
        for key, room in rooms.items():
            self._prefixes.add(key, room)

    def _rows(self, places: Sequence[tuple[int, int, int]]) -> Tensor:
        flat = [number for place in places for number in place]
        return to_device(flat, self._device).view(-1, 3)
