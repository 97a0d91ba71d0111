"""One frame of all slots by fused kernels: what `frame.advance` does, in about 580 launches."""

from __future__ import annotations

import torch
from torch import Tensor

from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.kernels.decoder import FusedDecoder
from qwen_tts_api.model.kernels.key_value import PagedCache, Tokens, talker_pages
from qwen_tts_api.model.kernels.products import linear
from qwen_tts_api.model.kernels.sampling import sample_code, sample_code_0
from qwen_tts_api.model.kernels.slots import close_frame, embed_frame, open_frame
from qwen_tts_api.model.kernels.tiles import FRAME_TILES, Tiles


class FusedFrame:
    """`frame.advance` for one model and one state, with its own buffers.

    One CUDA graph for each number of slots serves every length and all sampling parameters: nothing
    is decided on the host. What a slot gets is the same to the last bit in whatever company, slot
    and pages. Launches of 1.7B, with L = 28 layers of the talker, L_p = 5 of the code predictor and
    G = 16 codes:

    - the talker: 6 * L (one of six joins the splits of long sequences) and its head: 169;
    - the code predictor: 5 * L_p * (G - 1), L_p more in the first pass, which has two tokens a
      slot, and a head and a sampling for each of G - 1 codes: 410;
    - projection of the hidden state, opening of the frame, embedding sum, sampling of code 0,
      closing of the frame: 5.

    Together 584; 0.6B needs no projection: 583.

    Args:
        model: The weights.
        state: Of all slots; `advance` changes it.
        tiles: How launches are divided into programs.
    """

    def __init__(self, model: SpeechModel, state: FrameState, tiles: Tiles = FRAME_TILES) -> None:
        talker, predictor = model.talker, model.code_predictor
        max_slots, device = state.code_0.shape[0], state.code_0.device
        num_groups = predictor.num_code_groups
        self._model = model
        self._state = state
        self._tiles = tiles
        self._slots = torch.arange(max_slots, device=device)
        self._talker = FusedDecoder(
            talker.decoder, talker_pages(state), talker.vocabulary, max_slots, tiles
        )
        self._predictor = FusedDecoder(
            predictor.decoder, _predictor_pages(state), predictor.vocabulary, 2 * max_slots, tiles
        )
        self._positions = torch.zeros_like(self._slots)
        self._hidden = torch.zeros_like(state.past_hidden)
        self._codes = torch.zeros_like(state.codes)
        self._next_code_0 = torch.zeros_like(state.code_0)
        # Of the predictor's passes: two tokens a slot, then one at the position of each group.
        self._pairs = Tokens(
            self._slots.repeat_interleave(2), torch.arange(2, device=device).repeat(max_slots)
        )
        self._seconds = 2 * self._slots + 1
        groups = torch.arange(num_groups, device=device)
        # Of an even length, so that each row is aligned: what is not is compiled for once more.
        self._group_positions = groups.unsqueeze(1).repeat(1, max_slots + max_slots % 2)

    def advance(self, num_slots: int) -> None:
        """Generate the frame that `code_0` begins, for the first slots, and sample the next code 0.

        Slots that are not running keep all of their state.

        Args:
            num_slots: B, a constant of a captured graph.
        """
        state, model = self._state, self._model
        self._open(num_slots)
        for group in range(1, model.code_predictor.num_code_groups):
            self._predict(group, num_slots)
        talker = self._talker
        embed_frame(state, model.talker, self._codes, talker.x, self._positions, num_slots)
        talker.run(Tokens(self._slots, self._positions), num_slots)
        self.sample(
            talker.head(model.talker.codec_head, num_slots, hidden=self._hidden), 0, num_slots
        )
        close_frame(state, self._codes, self._next_code_0, self._hidden, num_slots)

    def sample(self, logits: Tensor, group: int, num_slots: int) -> Tensor:
        """Sample code `group` of each slot's frame; of code 0, that of the next frame.

        Args:
            logits: `[>= num_slots, V]` float32.
            group: 0 to G - 1.
            num_slots: B.

        Returns:
            `[B]` int64, overwritten by the next frame.
        """
        state, model, inputs = self._state, self._model, self._model.code_predictor.inputs
        if group == 0:
            codes = self._next_code_0
            sample_code_0(logits, state, model.logits_bias, codes, num_slots, state.frames)
            return codes[:num_slots]
        # The last code is no input, and what is written of it is never read: no kernel of its own.
        table = inputs[min(group, len(inputs) - 1)]
        sample_code(logits, state, self._codes, group, num_slots, table, self._predictor.x)
        return self._codes[:num_slots, group]

    def _open(self, num_slots: int) -> None:
        """Make the predictor's first two tokens: the talker's hidden state, and code 0."""
        state, weights, x = self._state, self._model.code_predictor, self._predictor.x
        if weights.projection is not None:
            weight, bias = weights.projection
            tile = self._tiles.narrow
            linear(state.past_hidden, weight.t(), bias, x, num_slots, tile, step=2)
        project = weights.projection is not None
        open_frame(state, weights.inputs[0], self._codes, x, num_slots, project=project)

    def _predict(self, group: int, num_slots: int) -> None:
        """Run the pass of the predictor that samples code `group`."""
        weights, decoder = self._model.code_predictor, self._predictor
        lm_head = weights.lm_heads[group - 1]
        if group == 1:
            decoder.run(self._pairs, 2 * num_slots, several_of_a_slot=True)
            logits = decoder.head(lm_head, num_slots, self._seconds)
        else:
            decoder.run(Tokens(self._slots, self._group_positions[group]), num_slots)
            logits = decoder.head(lm_head, num_slots)
        self.sample(logits, group, num_slots)


def _predictor_pages(state: FrameState) -> PagedCache:
    """Return the code predictor's cache `[L_p, R, G, ...]`, where a slot is a page."""
    cache = state.code_predictor_cache
    num_slots, device = cache.key_value.shape[1], cache.key_value.device
    table = torch.arange(num_slots, dtype=torch.int32, device=device).unsqueeze(1)
    return PagedCache(cache.key_value, table, cache.rope)
