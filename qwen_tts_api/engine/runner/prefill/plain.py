"""Prompts by PyTorch's operators, padded to the longest of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from qwen_tts_api.engine.runner.frames import USUAL, top_k_top_p_for
from qwen_tts_api.engine.runner.graphs import Graph
from qwen_tts_api.engine.runner.interface import PrefixUses
from qwen_tts_api.engine.runner.prefill.prepared import Batch, PreparedPrompt
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.prompt import PromptWeights
from qwen_tts_api.model.weights.placement import to_device

MAX_PADDED_POSITIONS = 1024
"""Between two frames, with padding: more would stall running slots."""


class PlainPrefills:
    """Prompts by PyTorch's operators, padded to the longest on the right; no graphs.

    Args:
        model: The weights of the language models.
        weights: Those of the embeddings.
        state: Every slot's.
    """

    max_positions = MAX_PADDED_POSITIONS

    def __init__(self, model: SpeechModel, weights: PromptWeights, state: FrameState) -> None:
        self.uses = PrefixUses()
        self._model = model
        self._weights = weights
        self._state = state

    def __len__(self) -> int:
        return 0

    def num_positions(self, prompts: Sequence[PreparedPrompt]) -> int:
        """Return how many positions are computed, with padding."""
        return max(each.num_positions for each in prompts) * len(prompts)

    def run(self, batch: Batch) -> None:
        """Run prompts: see `Prefills`."""
        slots, prompts = zip(*batch, strict=True)
        embeds = torch.nn.utils.rnn.pad_sequence(
            [self._weights.embed(each.talker_prompt) for each in prompts], batch_first=True
        )
        lengths = to_device([each.num_positions for each in prompts], embeds.device)
        top_k_top_p = top_k_top_p_for([each.sampling for each in prompts])
        index = to_device(slots, embeds.device)
        prefill_slots(self._model, self._state, embeds, lengths, index, top_k_top_p)

    def graphs(self) -> Iterator[Graph]:
        """Yield none: lengths are as they come."""
        return iter(())

    def run_largest(self) -> None:
        """Run the longest prompt there may be, in the first slot."""
        hidden, num_positions = self._state.past_hidden, self._state.last_position + 1
        embeds = hidden.new_zeros(1, num_positions, hidden.shape[1])
        lengths, slot = (to_device([n], hidden.device) for n in (num_positions - 1, 0))
        prefill_slots(self._model, self._state, embeds, lengths, slot, USUAL)

    def forget(self, reference: str) -> None:
        """Do nothing: nothing is kept."""
