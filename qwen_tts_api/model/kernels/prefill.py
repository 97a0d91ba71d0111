"""Prompts by fused kernels, from their ids on, over flat tokens without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.kernels.decoder import FusedDecoder
from qwen_tts_api.model.kernels.embedding import embed_prompts
from qwen_tts_api.model.kernels.key_value import Tokens, talker_pages
from qwen_tts_api.model.kernels.prefixes import copy_prefixes
from qwen_tts_api.model.kernels.sampling import sample_code_0
from qwen_tts_api.model.kernels.slots import copy_row
from qwen_tts_api.model.kernels.tiles import PREFILL_TILES, Tiles
from qwen_tts_api.model.prompt import PromptWeights

_BLOCK = 1024
"""Elements that a program moves at a time."""


class FusedPrefill:
    """`PromptWeights.embed` and `frame.prefill_slots` for one model and one state.

    Each token attends to its slot's positions up to its own, whether they are of this run or were
    in the cache before. So a prompt's result is the same to the last bit whatever prompts are
    beside it, however it is cut into runs, and wherever a prefix of it was computed.

    One CUDA graph for each number of tokens serves any number of prompts of any lengths: nothing is
    decided on the host. It has 3 launches for the embeddings, 6 a layer, and one each for the head,
    for the sampling of code 0, and for what slots begin with: 174 of 28 layers.

    Args:
        model: The weights of the language models.
        prompts: Those of the embeddings.
        state: Of all slots; `set_slots` was called for those whose prompts are run.
        max_tokens: Of a run.
        tiles: How launches are divided into programs.
    """

    def __init__(
        self,
        model: SpeechModel,
        prompts: PromptWeights,
        state: FrameState,
        max_tokens: int,
        tiles: Tiles = PREFILL_TILES,
    ) -> None:
        max_slots, cache = state.code_0.shape[0], talker_pages(state)
        # There are programs enough without splitting sequences.
        attention = replace(tiles.attention, split=cache.max_positions)
        self._model = model
        self._prompts = prompts
        self._state = state
        self._tiles = tiles
        self._cache = cache
        self._decoder = FusedDecoder(
            model.talker.decoder,
            cache,
            model.talker.vocabulary,
            max_tokens,
            replace(tiles, attention=attention),
            max_rows=max_slots,
        )
        # Of an even length, so that each row is aligned: what is not is compiled for once more.
        self._tokens = state.positions.new_full((5, max_tokens + max_tokens % 2), -1)
        self._tokens[2] = 0  # a text token also where it is padding
        self._given = torch.zeros_like(self._decoder.x)
        self._middle = self._given.new_zeros(max_tokens, prompts.text_embedding.shape[1])
        self._ends = state.positions.new_zeros(2, max_slots + max_slots % 2)
        self._hidden = torch.zeros_like(state.past_hidden)
        self._code_0 = torch.zeros_like(state.code_0)
        # Code 0 of the first frame is that of the frame after number -1.
        self._frames = torch.full_like(state.frames, -1)

    def load(self, tokens: Tensor, ends: Tensor, given: Sequence[Tensor]) -> None:
        """Say what the next run computes.

        Args:
            tokens: `[5, N]` int64: slots; positions, -1 where it is padding; text tokens; codec
                ids and rows of `given`, below 0 where nothing is added. No two positions of a slot
                are equal, and what is before a slot's first is in the cache.
            ends: `[2, R]` int64: for each slot, which token is the last of its prompt, and how many
                positions the prompt has: 0 where none ends in this run.
            given: `[_, D]` each, in the weights' dtype, at most N rows in all.
        """
        if given:
            torch.cat(list(given), out=self._given[: sum(map(len, given))])
        self._tokens[:, : tokens.shape[1]].copy_(tokens)
        self._ends[:, : ends.shape[1]].copy_(ends)

    def run(self, num_tokens: int) -> None:
        """Run the first tokens of what was loaded; slots whose prompts end there begin to run.

        Args:
            num_tokens: N, a constant of a captured graph.
        """
        state, decoder, talker = self._state, self._decoder, self._model.talker
        last, lengths = self._ends
        num_slots = len(state.code_0)
        what = self._tokens[2:]
        embed_prompts(
            self._prompts, what, self._given, self._middle, decoder.x, num_tokens, self._tiles
        )
        decoder.run(Tokens(*self._tokens[:2]), num_tokens, several_of_a_slot=True)
        logits = decoder.head(talker.codec_head, num_slots, last, self._hidden)
        sample_code_0(logits, state, self._model.logits_bias, self._code_0, num_slots, self._frames)
        _begin_slots(state, self._code_0, self._hidden, lengths)

    def take_prefixes(self, store: Tensor, places: Tensor) -> None:
        """Copy keys and values from a store to slots, instead of computing them.

        Args:
            store: `[L, M, 2 * H_kv, head_dim]`.
            places: `[n, 3]` int64: place in the store, slot, position; none is written twice.
        """
        copy_prefixes(store, self._cache, places, to_slots=True)

    def keep_prefixes(self, store: Tensor, places: Tensor) -> None:
        """Copy keys and values from slots to a store; else as `take_prefixes`."""
        copy_prefixes(store, self._cache, places, to_slots=False)


def _begin_slots(state: FrameState, code_0: Tensor, hidden: Tensor, lengths: Tensor) -> None:
    """Let slots whose prompts were run begin their first frames: no other slot changes.

    Reference: the end of `frame.prefill_slots`.

    Args:
        state: Its `code_0`, `past_hidden`, `seen`, `positions`, `frames` and `running` are updated.
        code_0: `[R]` int64: of the first frames.
        hidden: `[R, D]`: the states that these were sampled from.
        lengths: `[R]` int64: how many positions the prompts have; 0 where there is none.
    """
    _begin_kernel[(len(state.code_0),)](
        code_0,
        hidden,
        lengths,
        state.code_0,
        state.past_hidden,
        state.seen,
        state.positions,
        state.frames,
        state.running,
        state.last_position,
        VOCABULARY=state.seen.shape[1],
        WIDTH=hidden.shape[1],
        BLOCK=_BLOCK,
    )


@triton.jit(do_not_specialize=["last_position"])
def _begin_kernel(
    first_code_0,
    hidden,
    lengths,
    code_0,
    past_hidden,
    seen,
    positions,
    frames,
    running,
    last_position,
    VOCABULARY: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One slot of `_begin_slots`."""
    slot = tl.program_id(0)
    length = tl.load(lengths + slot)
    if length == 0:
        return
    copy_row(hidden + slot * WIDTH, past_hidden + slot * WIDTH, WIDTH, BLOCK)
    code = tl.load(first_code_0 + slot)
    tl.store(code_0 + slot, code)
    tl.store(seen + slot * VOCABULARY + code, True)
    tl.store(positions + slot, tl.minimum(length, last_position))
    tl.store(frames + slot, 0)
    tl.store(running + slot, 1)
