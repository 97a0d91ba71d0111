"""Prompts of several slots at once, by PyTorch's operators or by fused kernels.

By fused kernels the beginnings of prompts that do not depend on their texts (instruction, language,
speaker, a recording's text) are kept, and only the rest is computed where they are known: the
result is the same to the bit. By PyTorch's operators it would not be, because libraries choose
algorithms by the number of rows. Nor would there be much to gain on a CPU: role, language and
speaker take nano 0.04 of 2.5 ms, and a long instruction's 77 positions 0.6 ms, once an utterance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from qwen_tts_api.engine.runner.buckets import Buckets
from qwen_tts_api.engine.runner.graphs import Graph, GraphPool
from qwen_tts_api.engine.runner.interface import PrefixUses
from qwen_tts_api.engine.runner.kernels.paths import Kernels
from qwen_tts_api.engine.runner.prefill.fused import FusedPrefills
from qwen_tts_api.engine.runner.prefill.plain import PlainPrefills
from qwen_tts_api.engine.runner.prefill.prefixes import PrefixCache
from qwen_tts_api.engine.runner.prefill.prepared import Batch, PreparedPrompt
from qwen_tts_api.engine.runner.state import RunnerState
from qwen_tts_api.model.loaded import LoadedModel


class Prefills(Protocol):
    """Prompts of one state, by whatever path.

    Attributes:
        max_positions: How many may be computed between two frames.
        uses: How often a prefix was found.
    """

    max_positions: int
    uses: PrefixUses

    def __len__(self) -> int:
        """Return how many graphs have been captured."""

    def num_positions(self, prompts: Sequence[PreparedPrompt]) -> int:
        """Return how many positions are computed for some prompts together."""

    def run(self, batch: Batch) -> None:
        """Run prompts; `set_slots` was called for their slots, which have the pages."""

    def graphs(self) -> Iterator[Graph]:
        """Yield all graphs, the largest first."""

    def run_largest(self) -> None:
        """Run what takes the most memory."""

    def forget(self, reference: str) -> None:
        """Discard what is kept of a recording, by its key. Any thread may call it."""


def make_prefills(
    model: LoadedModel,
    state: RunnerState,
    buckets: Buckets,
    pool: GraphPool | None,
    kernels: Kernels,
    num_prefix_positions: int,
) -> Prefills:
    """Return prefills by fused kernels, where there are any."""
    if kernels.prefill is None:
        return PlainPrefills(model.speech, model.prompts, state.speech)
    fused = kernels.prefill(model.speech, model.prompts, state.speech, buckets.tokens[-1])
    prefixes = PrefixCache(state.speech.talker_cache, num_prefix_positions)
    return FusedPrefills(fused, state, buckets, pool, prefixes)
