"""The interface between the scheduler, which has no tensors, and a model's runner.

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

HISTORY_FRAMES = 64
"""How many frames of each slot are kept until they are decoded."""


@dataclass
class PrefixUses:
    """Hits and misses of the prefix cache, of prompts that it could have.

    Attributes:
        hits: The prefix was in it: only the rest was computed.
        misses: It was not: the whole prompt was computed.
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
        """How many text tokens come in later frames instead of the prefill."""


class Codes(Protocol):
    """Sampled codes 0 that are being copied to the host."""

    def read(self) -> list[int]:
        """Return one code for each slot, in the call's order; may wait for the device."""


class Audio(Protocol):
    """Decoded samples that are being copied to the host."""

    def read(self) -> npt.NDArray[np.int16]:
        """Return int16 `[B, frames * samples_per_frame]`; may wait for the device."""


class Runner(Protocol):
    """A loaded model with `max_slots` slots, each for one utterance. Used by one thread only.

    Attributes:
        card: The model card.
        placement: Its `device`, `dtype` and `attention`.
        kernels: What computes each part of the work: `fused` or `plain`.
        max_slots: The number of slots.
        max_positions: Prompt and frames of one utterance together.
        num_pages: The pages that all slots share.
        page_positions: How many positions a page has.
        eos: The code 0 that ends an utterance.
        lag: How many calls of `advance` are launched before the codes of the first are read: 0 on a
            CPU; 1 on a GPU, which then never waits for the host.
        chunk_sizes: The frame counts that `decode` takes, ascending.
        max_prefill_positions: How many positions may be prefilled between two frames: more would
            stall running slots. One prompt may have more.
        prefix_uses: Hits and misses of the prefix cache. Any thread may read it.
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
        """Whether `prepare` need not encode a recording, which takes longer than a frame."""

    def forget(self, reference: Reference) -> None:
        """Remove a recording from all caches. Any thread may call it."""

    def prepare(self, prompt: Prompt) -> Prepared:
        """Tokenize a prompt and encode its recording, if it has one."""

    def num_prefill_positions(self, prepared: Sequence[Any]) -> int:
        """Return how many positions a common prefill of these prompts computes."""

    def prefill(self, slots: Sequence[int], prepared: Sequence[Any]) -> Codes:
        """Begin utterances in free slots, and sample the first code 0 of each."""

    def grow(self, slot: int, num_pages: int) -> None:
        """Allocate pages so that a slot has `num_pages`, before positions are written in them."""

    def advance(self, slots: Sequence[int], end: int) -> Codes:
        """Generate the next frame of the running `slots`, and sample the code 0 after it.

        Args:
            slots: All running slots, ascending.
            end: More than the position of each of them.
        """

    def stop(self, slot: int) -> None:
        """Mark a slot as not running, and release its pages."""

    def num_stable_tokens(self, text: str) -> int:
        """Return how many tokens of an unfinished text are final, whatever follows."""

    def extend(self, slot: int, text: str, num_tokens: int, *, final: bool) -> int:
        """Append text to a slot whose prompt was unfinished.

        Args:
            slot: The slot, running or paused.
            text: All of its text so far.
            num_tokens: How many tokens of it the slot has.
            final: Whether it is all of the text.

        Returns:
            How many tokens of the text the slot has now.
        """

    def pause(self, slot: int) -> None:
        """Pause a running slot: it is not advanced, and keeps its state."""

    def resume(self, slot: int) -> None:
        """Resume a paused slot, as if it had not been paused."""

    def decode(self, slots: Sequence[int], starts: Sequence[int], num_frames: int) -> Audio:
        """Decode the next `num_frames` frames of some slots.

        Args:
            slots: The slots.
            starts: The number of each one's first frame: one of its last HISTORY_FRAMES.
            num_frames: One of `chunk_sizes`.
        """

    def memory_bytes(self) -> int:
        """Return how much GPU memory PyTorch has reserved, 0 on a CPU. Any thread may call it."""

    def close(self) -> None:
        """Release the memory. Attributes and `memory_bytes` can still be read."""
