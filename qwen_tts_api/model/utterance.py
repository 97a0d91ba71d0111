"""What one utterance is made from. Imports no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE_HZ = 24_000
"""Of the one codec that is served; a checkpoint with another is refused."""


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn; the defaults are those of the published generation_config.json.

    Attributes:
        seed: 0 to 2**63 - 1: the same prompt and seed, the same audio.
        temperature: Of code 0; 0 is greedy.
        top_k: Of code 0; 0 is no limit.
        top_p: Of code 0, in (0, 1].
        repetition_penalty: Of code 0; 1 is none.
        subtalker_temperature: Of codes 1 to 15; 0 is greedy.
        subtalker_top_k: Of codes 1 to 15; 0 is no limit.
        subtalker_top_p: Of codes 1 to 15, in (0, 1].
    """

    seed: int = 0
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    subtalker_temperature: float = 0.9
    subtalker_top_k: int = 50
    subtalker_top_p: float = 1.0


@dataclass(frozen=True)
class Prompt:
    """One utterance to make, in the model's own terms.

    Attributes:
        text: What to say.
        language: A language of the model in lower case, or `auto`.
        speaker: A speaker of the model in lower case; None for a kind without speakers.
        instruct: How to say it (CustomVoice), or the voice itself (VoiceDesign); may be empty.
        sampling: How codes are drawn.
        max_new_tokens: As upstream's: at most one frame less is made. None: the text's own budget.
        streaming: Whether audio is wanted as it is made; else in pieces that cost less.
    """

    text: str
    language: str
    speaker: str | None
    instruct: str
    sampling: Sampling
    max_new_tokens: int | None = None
    streaming: bool = False
