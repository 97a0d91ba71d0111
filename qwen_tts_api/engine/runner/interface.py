"""What the scheduler needs of a loaded model. It has no tensors; the runner has no queues.

These are protocols because the scheduler and the engine are used without PyTorch: by tests, which
have a runner of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.model.utterance import Prompt, Reference


@dataclass
class PrefixUses:
    """How often a prompt's beginning was known, of those that could be.

    Attributes:
        hits: Only the rest was computed.
        misses: All of it was.
    """

    hits: int = 0
    misses: int = 0


class Prepared(Protocol):
    """A prompt that is ready to be prefilled."""

    @property
    def num_positions(self) -> int:
        """How many positions the prefill takes."""

    @property
    def num_text_tokens(self) -> int:
        """How many tokens the text has."""

    @property
    def num_trailing(self) -> int:
        """How many frames have text that is not in the prefill."""


class Codes(Protocol):
    """Sampled codes 0 that are being copied to the host."""

    def read(self) -> list[int]:
        """Return one code a slot, in the call's order; waits for the device if it must."""


class Audio(Protocol):
    """Decoded samples that are being copied to the host."""

    def read(self) -> npt.NDArray[np.int16]:
        """Return int16 `[B, frames * samples_per_frame]`; waits for the device if it must."""


class Runner(Protocol):
    """A loaded model with `max_slots` slots, each for one utterance. Used by one thread only.

    Attributes:
        card: What the model can do.
        placement: Where it computes: `device`, `dtype`, `attention`.
        kernels: What computes each part of the work: `fused` or `plain`.
        max_slots: The number of slots.
        max_positions: Prompt and frames of one utterance together.
        num_pages: How many pages slots may have, all together.
        page_positions: How many positions a page has.
        eos: The code 0 that ends an utterance.
        lag: How many calls of `advance` are launched before the codes of the first are read: 0 on a
            CPU; 1 on a GPU, which then never waits for the host.
        chunk_sizes: The frame counts that `decode` takes, ascending.
        max_prefill_positions: How many positions may be prefilled between two frames: more would
            stall running slots. One prompt may have more.
        prefix_uses: How often a prompt's beginning was known. Any thread may read it.
    """

    card: ModelCard
    placement: Any
    kernels: Mapping[str, str]
    max_slots: int
    max_positions: int
    num_pages: int
    page_positions: int
    eos: int
    lag: int
    chunk_sizes: Sequence[int]
    max_prefill_positions: int
    prefix_uses: PrefixUses

    def has_cached_voice(self, prompt: Prompt) -> bool:
        """Whether `prepare` has no recording to encode, which takes longer than a frame."""

    def forget(self, reference: Reference) -> None:
        """Discard what is cached of a recording. Any thread may call it."""

    def prepare(self, prompt: Prompt) -> Prepared:
        """Turn a prompt into what its prefill needs."""

    def num_prefill_positions(self, prepared: Sequence[Any]) -> int:
        """Return how many positions are computed where these prompts are prefilled together."""

    def prefill(self, slots: Sequence[int], prepared: Sequence[Any]) -> Codes:
        """Begin utterances in free slots, and sample the first code 0 of each."""

    def grow(self, slot: int, num_pages: int) -> None:
        """Let a slot have so many pages: before its prompt or a frame is written in them."""

    def advance(self, slots: Sequence[int], end: int) -> Codes:
        """Generate the next frame of the running `slots`, and sample the code 0 after it.

        Args:
            slots: All running slots, ascending.
            end: More than the position of each of them.
        """

    def stop(self, slot: int) -> None:
        """Mark a slot as not running, and take its pages."""

    def num_stable_tokens(self, text: str) -> int:
        """Return how many tokens an unfinished text has that do not depend on what follows."""

    def extend(self, slot: int, text: str, num_tokens: int, *, final: bool) -> int:
        """Let a slot hear more of its text, which began as an unfinished prompt.

        Args:
            slot: One that runs or waits.
            text: All of its text so far.
            num_tokens: How many tokens of it the slot has.
            final: Whether it is all of the text.

        Returns:
            How many tokens of the text the slot has now.
        """

    def pause(self, slot: int) -> None:
        """Let a running slot wait: it is not advanced, and keeps all that it goes on with."""

    def resume(self, slot: int) -> None:
        """Let a slot that was paused go on where it was, as if it had not waited."""

    def decode(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> Audio:
        """Decode the next `num_frames` frames of some slots; `starts` are their frame numbers."""

    def memory_bytes(self) -> int:
        """Return how much GPU memory PyTorch holds, 0 on a CPU. Any thread may ask."""

    def close(self) -> None:
        """Release the memory. Attributes and `memory_bytes` can still be read."""
