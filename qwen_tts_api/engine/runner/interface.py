"""What the scheduler needs of a loaded model. It holds no tensors; the runner holds no queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.model.utterance import Prompt, Reference


class Prepared(Protocol):
    """A prompt that is ready to be prefilled."""

    @property
    def num_positions(self) -> int:
        """How many positions of a row its prefill takes."""

    @property
    def num_text_tokens(self) -> int:
        """How many tokens its text has."""

    @property
    def num_trailing(self) -> int:
        """How many frames it takes to hear the text that is not in the prefill."""


class Codes(Protocol):
    """Codes 0 that were drawn, on their way to the host."""

    def read(self) -> list[int]:
        """Return one code a row, in the order of the call; waits for the device if it must."""


class Audio(Protocol):
    """Samples that were decoded, on their way to the host."""

    def read(self) -> npt.NDArray[np.int16]:
        """Return `[rows, frames * samples_per_frame]`; waits for the device if it must."""


class Runner(Protocol):
    """A model in memory, with the state of `max_rows` utterances. Used by one thread only.

    Attributes:
        card: What the model can do.
        placement: Where it computes: `device`, `dtype`, `attention`.
        max_rows: Utterances at once.
        max_positions: Prompt and frames of one utterance together.
        eos: The code 0 that ends an utterance.
        lag: How many calls of `advance` may be under way before the first one's codes are read: 0
            on a CPU; 1 on a GPU, which then never waits for the host.
        chunk_sizes: The frame counts that `decode` takes, ascending.
    """

    card: ModelCard
    placement: Any
    max_rows: int
    max_positions: int
    eos: int
    lag: int
    chunk_sizes: Sequence[int]

    def is_prompt_quick(self, prompt: Prompt) -> bool:
        """Whether `prepare` takes no longer than a frame: all but a recording that is new does."""

    def forget(self, reference: Reference) -> None:
        """Keep nothing of a recording for later utterances; any thread may say so."""

    def prepare(self, prompt: Prompt) -> Prepared:
        """Turn a prompt into the rows of its prefill."""

    def prefill(self, rows: Sequence[int], prepared: Sequence[Any]) -> Codes:
        """Begin utterances in free rows, and draw the first code 0 of each."""

    def advance(self, rows: Sequence[int], end: int) -> Codes:
        """Make the next frame of the running `rows`, and draw the code 0 after it.

        Args:
            rows: All rows that run, ascending.
            end: Above the position of each of them.
        """

    def stop(self, row: int) -> None:
        """Take a row out of the running."""

    def decode(self, rows: Sequence[int], starts: Sequence[int], num_frames: int) -> Audio:
        """Decode the next `num_frames` frames of some rows; `starts` are their frame numbers."""

    def memory_bytes(self) -> int:
        """Return how much GPU memory PyTorch holds, 0 on a CPU. Any thread may ask."""

    def close(self) -> None:
        """Give the memory back. Attributes and `memory_bytes` can be read on."""
