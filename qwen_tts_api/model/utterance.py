"""What goes into a model and what comes out of it. Imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Prompt:
    """One utterance to make, in the model's own terms.

    Attributes:
        text: What to say.
        language: A language of the model in lower case, or `auto`.
        speaker: A speaker of the model in lower case; None for a kind without speakers.
        instruct: How to say it (CustomVoice), or the voice itself (VoiceDesign); may be empty.
        seed: Seed of the random draws, 0 to 2**63 - 1: the same prompt and seed, the same audio.
    """

    text: str
    language: str
    speaker: str | None
    instruct: str
    seed: int


@dataclass(frozen=True)
class Utterance:
    """The audio of one prompt.

    Attributes:
        samples: float32 in [-1, 1], `[frames * 1920]`, at `sample_rate_hz`.
        sample_rate_hz: 24,000 for every published checkpoint.
        finish_reason: `stop`, or `length` where the frame budget ended it.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    finish_reason: str

    @property
    def duration_s(self) -> float:
        """Return the length of the audio in seconds."""
        return len(self.samples) / self.sample_rate_hz


class GenerationCancelled(Exception):
    """The utterance is no longer wanted; raised between two frames."""
