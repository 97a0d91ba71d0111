"""Prompts by fused kernels: what `talker.prefill` does, over flat tokens without padding."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qwen_tts_api.model.kernels.decoder import FusedDecoder
from qwen_tts_api.model.kernels.key_value import PagedCache, Tokens
from qwen_tts_api.model.kernels.tiles import PREFILL_TILES, Tiles
from qwen_tts_api.model.talker import TalkerWeights
from qwen_tts_api.model.talker_cache import TalkerCache


class FusedPrefill:
    """Runs the tokens of several prompts at once: 6 launches a layer and one for the head.

    Each token attends to its slot's positions up to its own, whether they are of this run or were
    in the cache before. So a prompt's result is the same to the last bit whatever prompts are
    beside it, and wherever a prefix of it ended that an earlier run had written.

    Args:
        weights: The talker's.
        cache: Written at the tokens' positions.
        max_tokens: N, at most.
        max_prompts: n, at most.
        tiles: How launches are divided into programs.
    """

    def __init__(
        self,
        weights: TalkerWeights,
        cache: TalkerCache,
        max_tokens: int,
        max_prompts: int,
        tiles: Tiles = PREFILL_TILES,
    ) -> None:
        # There are programs enough without splitting sequences.
        attention = replace(tiles.attention, split=cache.size.max_positions)
        self._weights = weights
        self._decoder = FusedDecoder(
            weights.decoder,
            PagedCache(cache.key_value, cache.page_table, cache.rope),
            weights.vocabulary,
            max_tokens,
            replace(tiles, attention=attention),
            max_rows=max_prompts,
        )
        self._hidden = torch.zeros_like(self._decoder.x[:max_prompts])

    def run(
        self, embeds: Tensor, slots: Tensor, positions: Tensor, last: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run tokens; return the hidden state and the logits of the last one of each prompt.

        Args:
            embeds: `[N, D]` in the weights' dtype, padded to a number of tokens at will.
            slots: `[N]` int64.
            positions: `[N]` int64; -1 where it is padding. No two of a slot are equal, and what is
                before a slot's first is in the cache.
            last: `[n]` int64: which tokens are the last of their prompts.

        Returns:
            After the final norm, `[n, D]`, and `[n, V]` float32: views of buffers, until the next
            run.
        """
        decoder, num_tokens, num_prompts = self._decoder, embeds.shape[0], last.shape[0]
        decoder.x[:num_tokens].copy_(embeds)
        decoder.run(Tokens(slots, positions), num_tokens, several_of_a_slot=True)
        logits = decoder.head(self._weights.codec_head, num_prompts, last, self._hidden)
        return self._hidden[:num_prompts], logits[:num_prompts]
