"""Stand-ins for fused kernels that run on a CPU: the plain functions, as kernels have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from qwen_tts_api.model import talker
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.frame import advance
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.prompt import PromptWeights
from qwen_tts_api.model.sampling import TopKTopP, sample

ALL = TopKTopP(None, True)


class Frame:
    """`frame.advance` for all lengths and parameters, as fused kernels have it."""

    def __init__(self, model: SpeechModel, state: FrameState) -> None:
        self._model = model
        self.state = state

    def advance(self, num_slots: int) -> None:
        advance(self._model, self.state, num_slots, self.state.last_position + 1, ALL)

    def sample(self, logits: Tensor, group: int, num_slots: int) -> Tensor:
        state, model, first = self.state, self._model, slice(num_slots)
        frames = state.frames[first]
        uniforms = model.rng.uniforms(state.keys[first], frames)
        sampling = (state.subtalker_sampling if group else state.sampling).at(first, ALL)
        if not group:
            seen, penalty, min_codes = (
                each[first] for each in (state.seen, state.penalty, state.min_codes)
            )
            logits = model.logits_bias.apply(logits, seen, penalty, frames + 1, min_codes)
        number = uniforms[:, group - 1].unsqueeze(1)
        return sample(logits, sampling, number * sampling.uniform_scale, ALL)


class Codec:
    """`decode_pcm` as a fused kernel has it."""

    def __init__(self, weights: CodecWeights) -> None:
        self.weights = weights

    def decode(self, state: CodecState, codes: Tensor, slots: Tensor) -> Tensor:
        return decode_pcm(self.weights, state, codes, slots)


class Prefill:
    """`frame.prefill_slots` token by token, so that no bit depends on what else there is.

    Attributes:
        num_tokens: Of each run, padding included.
        num_taken: How many positions were copied to slots instead.
    """

    def __init__(
        self, model: SpeechModel, prompts: PromptWeights, state: FrameState, max_tokens: int
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.state = state
        self.x = state.past_hidden.new_zeros(max_tokens, state.past_hidden.shape[1])
        self.given = torch.zeros_like(self.x)
        self.tokens = state.positions.new_full((5, max_tokens), -1)
        self.tokens[2] = 0
        self.ends = state.positions.new_zeros(2, len(state.positions))
        self.num_tokens: list[int] = []
        self.num_taken = 0

    def load(self, tokens: Tensor, ends: Tensor, given: Sequence[Tensor]) -> None:
        assert tokens.shape[1] <= len(self.x)
        num_given = int((tokens[4] >= 0).sum())
        assert num_given == sum(map(len, given))
        self.num_tokens.append(tokens.shape[1])
        if given:
            self.given[:num_given].copy_(torch.cat(list(given)))
        self.tokens[:, : tokens.shape[1]].copy_(tokens)
        self.ends.copy_(ends)

    def run(self, num_tokens: int) -> None:
        self.embed(num_tokens)
        model, state = self.model, self.state
        last, lengths = self.ends
        hidden, logits = zip(*(self._step(n) for n in range(num_tokens)), strict=True)
        ended = torch.cat(hidden).index_select(0, last), torch.cat(logits).index_select(0, last)
        none = torch.zeros_like(lengths)
        scores = model.logits_bias.apply(ended[1], state.seen, state.penalty, none, state.min_codes)
        uniforms = model.first_rng.uniforms(state.keys, none)
        sampling = state.sampling.at(slice(None), ALL)
        code_0 = sample(scores, sampling, uniforms * sampling.uniform_scale, ALL)
        begins = lengths > 0
        for kept, new in (
            (state.code_0, code_0),
            (state.positions, lengths.clamp(max=state.last_position)),
            (state.frames, none),
            (state.running, none + 1),
        ):
            torch.where(begins, new, kept, out=kept)
        rows = begins.unsqueeze(1)
        torch.where(rows, ended[0], state.past_hidden, out=state.past_hidden)
        seen = state.seen.scatter(1, code_0.unsqueeze(1), True)
        torch.where(rows, seen, state.seen, out=state.seen)

    def embed(self, num_tokens: int) -> None:
        """Embed each token by itself; padding is not a number."""
        table = self.prompts.talker.code_embeddings
        for number in range(num_tokens):
            _, position, text, code, row = self.tokens[:, number : number + 1]
            x = self.prompts.project(text) + self._rows(table, code) + self._rows(self.given, row)
            self.x[number] = torch.where(position >= 0, x[0], torch.nan)

    def _rows(self, table: Tensor, index: Tensor) -> Tensor:
        """Return a row, or zeros below 0."""
        return torch.where(index >= 0, table.index_select(0, index.clamp(min=0)), 0)

    def _step(self, number: int) -> tuple[Tensor, Tensor]:
        """Run one token; padding is written to the page of scratch."""
        cache = self.state.talker_cache
        slot, position = self.tokens[:2, number : number + 1]
        table = cache.page_table.index_select(0, slot.clamp(min=0)) * (position >= 0)
        # Not a whole cache: so pages are looked up.
        size = replace(cache.size, num_pages=0)
        own = replace(cache, page_table=table.to(torch.int32), size=size)
        x = torch.where(position.unsqueeze(1) >= 0, self.x[number : number + 1], 0)
        end = self.state.last_position + 1
        return talker.step(self.model.talker, own, x, position.clamp(min=0), end)

    def take_prefixes(self, store: Tensor, places: Tensor) -> None:
        self.num_taken += len(places)
        self._slots()[:, self._indices(places)] = store[:, places[:, 0]]

    def keep_prefixes(self, store: Tensor, places: Tensor) -> None:
        store[:, places[:, 0]] = self._slots()[:, self._indices(places)]

    def _slots(self) -> Tensor:
        return self.state.talker_cache.key_value.flatten(1, 2)

    def _indices(self, places: Tensor) -> Tensor:
        _, slots, positions = places.t()
        cache = self.state.talker_cache
        return cache.indices(cache.page_table[slots], positions.unsqueeze(1)).squeeze(1)
