"""The parts of the work that fused kernels can do, each in the place of a function of `model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.prompt import PromptWeights


class FrameKernels(Protocol):
    """`frame.advance` of one model and one state."""

    def advance(self, num_slots: int) -> None:
        """Compute what `frame.advance` does, for any lengths and sampling parameters."""

    def sample(self, logits: Tensor, group: int, num_slots: int) -> Tensor:
        """Sample a code of each of the first slots' frames, as `advance` does.

        Args:
            logits: `[num_slots, V]` float32.
            group: Which code; 0 is that of the next frame.
            num_slots: B.

        Returns:
            `[B]` int64, overwritten by the next call.
        """


class CodecKernels(Protocol):
    """`codec.decoder.decode_pcm` of one codec."""

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        """Compute what `decode_pcm` does."""


class PrefillKernels(Protocol):
    """`PromptWeights.embed` and `frame.prefill_slots` of one state, in runs of flat tokens."""

    def load(self, tokens: Tensor, ends: Tensor, given: Sequence[Tensor]) -> None:
        """Load the arguments of the next run.

        Args:
            tokens: `[5, N]` int64: slots; positions, -1 where it is padding; text tokens; codec
                ids and rows of `given`, below 0 where nothing is added. What is before a slot's
                first position is in the cache.
            ends: `[2, R]` int64: for each slot, which token is the last of its prompt, and how many
                positions the prompt has: 0 where none ends in this run.
            given: `[_, D]` each.
        """

    def run(self, num_tokens: int) -> None:
        """Run the tokens; slots whose prompts end there begin to run."""

    def take_prefixes(self, store: Tensor, places: Tensor) -> None:
        """Copy keys and values from a store to slots.

        Args:
            store: `[L, M, 2 * H_kv, head_dim]`.
            places: `[n, 3]` int64: place in the store, slot, position.
        """

    def keep_prefixes(self, store: Tensor, places: Tensor) -> None:
        """Copy keys and values from slots to a store; else as `take_prefixes`."""


MakeFrame = Callable[[SpeechModel, FrameState], FrameKernels]
MakeCodec = Callable[[CodecWeights], CodecKernels]
MakePrefill = Callable[[SpeechModel, PromptWeights, FrameState, int], PrefillKernels]
"""Given how many tokens a run may have."""


@dataclass(frozen=True)
class Kernels:
    """What makes the fused kernels of each part.

    Attributes:
        frame, codec, prefill: None where PyTorch's operators compute it.
        left_out: Why, for each part whose kernels were tried and are not used.
    """

    frame: MakeFrame | None = None
    codec: MakeCodec | None = None
    prefill: MakePrefill | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> dict[str, str]:
        """Return `fused` or `plain` for each part."""
        parts = ("frame", "codec", "prefill")
        return {part: "fused" if getattr(self, part) else "plain" for part in parts}


PLAIN = Kernels()
