"""Prompts that are ready to be prefilled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.frame_state import SlotStart
from qwen_tts_api.model.prompt import PromptWeights, TalkerPrompt
from qwen_tts_api.model.utterance import Prompt, SamplingParams


class PrefixKey(NamedTuple):
    """What the beginning of a prompt depends on, up to its text; see `TalkerPrompt.num_shared`.

    Where a recording is continued, its text is heard with its frames if that of the prompt is.
    """

    instruct: str
    language: str
    speaker: str | None
    reference: str | None
    text_in_frames: bool

    @classmethod
    def of(cls, prompt: Prompt) -> PrefixKey:
        """Return that of a prompt."""
        reference = prompt.reference.key if prompt.reference else None
        in_frames = reference is not None and prompt.text_in_frames
        return cls(prompt.instruct, prompt.language, prompt.speaker, reference, in_frames)


@dataclass(frozen=True)
class PreparedPrompt:
    """A prompt, and the state of the codec's stream that it continues, if any."""

    talker_prompt: TalkerPrompt
    num_text_tokens: int
    sampling: SamplingParams
    stream: CodecState | None
    prefix_key: PrefixKey

    @property
    def num_positions(self) -> int:
        """How many positions the prefill takes."""
        return self.talker_prompt.num_positions

    @property
    def num_shared(self) -> int:
        """How many of them do not depend on the text."""
        return self.talker_prompt.num_shared

    @property
    def num_trailing(self) -> int:
        """How many frames have text that is not in the prefill."""
        return len(self.talker_prompt.trailing_text)

    def start_in(self, slot: int, weights: PromptWeights) -> SlotStart:
        """Return what its utterance begins with in a slot, besides the prefill."""
        prompt = self.talker_prompt
        text = weights.embed_text(prompt.trailing_text)
        return SlotStart(slot, self.sampling, text, prompt.min_codes)


Batch = Sequence[tuple[int, PreparedPrompt]]
"""Prompts and their slots."""
