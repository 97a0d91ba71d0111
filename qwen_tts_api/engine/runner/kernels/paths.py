"""The parts of the work that fused kernels can do, each in the place of a function of `model`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

from torch import Tensor

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.frame_state import FrameState, SpeechModel


class FrameKernels(Protocol):
    """`frame.advance` of one model and one state."""

    def advance(self, num_slots: int) -> None:
        """Do as `frame.advance`, whatever the lengths and sampling parameters."""


class CodecKernels(Protocol):
    """`codec.decoder.decode_pcm` of one codec."""

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        """Do as `decode_pcm`."""


MakeFrame = Callable[[SpeechModel, FrameState], FrameKernels]
MakeCodec = Callable[[CodecWeights], CodecKernels]


@dataclass(frozen=True)
class Kernels:
    """What makes the fused kernels of each part; None where PyTorch's operators compute it."""

    frame: MakeFrame | None = None
    codec: MakeCodec | None = None

    def names(self) -> dict[str, str]:
        """Return `fused` or `plain` for each part."""
        parts = (each.name for each in fields(self))
        return {part: "fused" if getattr(self, part) else "plain" for part in parts}


PLAIN = Kernels()
