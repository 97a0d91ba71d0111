"""Prompts by fused kernels: as by the plain talker, whatever is beside them or was before."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.launches import Launches
from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.prefill.spans import Span, load
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SlotStart
from qwen_tts_api.model.kernels.prefill import FusedPrefill
from qwen_tts_api.model.prompt import GIVEN, NONE, TalkerPrompt
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SamplingParams
from tests.model.generation import GREEDY, SAMPLED, Checkpoint
from tests.model.kernels.models import ROUNDING, TILES, cut

PAGE = 4
POSITIONS = 12
NUCLEUS = replace(SAMPLED, seed=3, top_p=0.8)
EVERYTHING = TopKTopP(max_top_k=None, top_p=True)

Prompts = Mapping[int, tuple[TalkerPrompt, SamplingParams]]
"""Ids and settings by slot."""


def state_of(
    checkpoint: Checkpoint, pages: Sequence[Sequence[int]], prompts: Prompts
) -> FrameState:
    """Return a state whose slots have these pages of four positions, and are set for prompts."""
    size = CacheSize(len(pages), POSITIONS, 12, PAGE)
    state = FrameState.allocate(checkpoint.speech, size, max_text_embeddings=4)
    for slot, own in enumerate(pages):
        state.talker_cache.give(slot, 0, torch.tensor(own))
    pad = checkpoint.prompts.tts_pad
    for slot, (_, params) in prompts.items():
        state.set_slots([SlotStart(slot, params, pad[:0])], pad)
    return state


def prompt_of(checkpoint: Checkpoint, num_tokens: int, seed: int) -> TalkerPrompt:
    """Return a prompt of text alone, of text with codes, and of text with what is given."""
    random_, weights = random.Random(seed), checkpoint.prompts
    num_text, num_codes = weights.text_embedding.shape[0], checkpoint.speech.talker.vocabulary
    codes = [[NONE, random_.randrange(num_codes), GIVEN][n % 3] for n in range(num_tokens)]
    text = random_.choices(range(num_text), k=num_tokens)
    generator = torch.Generator().manual_seed(seed)
    given = torch.randn(codes.count(GIVEN), weights.tts_pad.shape[1], generator=generator)
    return TalkerPrompt(text, codes, given.to(weights.tts_pad))


def run(
    prefill: FusedPrefill, num_slots: int, prompts: Prompts, start: int = 0, end: int = POSITIONS
) -> None:
    """Run the tokens of prompts from `start` to `end`, and one of padding."""
    spans = [
        Span(slot, prompt, start, min(end, prompt.num_positions))
        for slot, (prompt, _) in prompts.items()
    ]
    num_tokens = sum(span.end - span.start for span in spans) + 1
    load(prefill, spans, num_tokens, num_slots, torch.device("cpu"))
    prefill.run(num_tokens)


def small(state: FrameState) -> dict[str, Tensor]:
    """Return the tensors of a state."""
    values = {each.name: getattr(state, each.name) for each in fields(state)}
    return {name: each.clone() for name, each in values.items() if isinstance(each, Tensor)}


def written(state: FrameState, slot: int, length: int) -> Tensor:
    """Return the keys and values of a slot's prompt."""
    cache = state.talker_cache
    index = cache.indices(cache.page_table[[slot]], torch.arange(length).unsqueeze(0))
    return cache.key_value.flatten(1, 2)[:, index[0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_reference_s_state_and_cache(odd: Checkpoint, dtype: torch.dtype) -> None:
    """Of two prompts: one of a token, one that crosses a page and a block; a third slot runs on."""
    checkpoint = cut(odd, dtype)
    prompts = {
        2: (prompt_of(checkpoint, 9, 0), NUCLEUS),
        0: (prompt_of(checkpoint, 1, 1), GREEDY),
    }
    pages = [[3, 1, 4], [7, 8, 9], [2, 6, 5]]
    plain, fused = (state_of(checkpoint, pages, prompts) for _ in range(2))
    for state in (plain, fused):
        state.running[1], state.frames[1], state.positions[1] = 1, 7, 11
    lengths = torch.tensor([9, 1])
    embeds = [checkpoint.prompts.embed(prompt) for prompt, _ in prompts.values()]
    padded = torch.nn.utils.rnn.pad_sequence(embeds, True)
    prefill_slots(checkpoint.speech, plain, padded, lengths, torch.tensor([*prompts]), EVERYTHING)
    run(FusedPrefill(checkpoint.speech, checkpoint.prompts, fused, 16, TILES), 3, prompts)
    expected, made = small(plain), small(fused)
    torch.testing.assert_close(
        made.pop("past_hidden"), expected.pop("past_hidden"), rtol=0, atol=5 * ROUNDING[dtype]
    )
    assert {name: each.tolist() for name, each in made.items()} == {
        name: each.tolist() for name, each in expected.items()
    }
    for slot, length in zip(prompts, lengths.tolist(), strict=True):
        keys = [written(state, slot, length) for state in (fused, plain)]
        torch.testing.assert_close(*keys, rtol=0, atol=5 * ROUNDING[dtype])


@pytest.mark.slow
def test_company_slot_pages_runs_and_a_kept_prefix_change_no_bit(odd: Checkpoint) -> None:
    """In 16 bits, where rounding would."""
    checkpoint = cut(odd, torch.float16)
    own, other = ((prompt_of(checkpoint, length, length), NUCLEUS) for length in (9, 3))

    def prefilled(
        pages: Sequence[Sequence[int]], prompts: Prompts
    ) -> tuple[FrameState, FusedPrefill]:
        state = state_of(checkpoint, pages, prompts)
        return state, FusedPrefill(checkpoint.speech, checkpoint.prompts, state, 16, TILES)

    def result(state: FrameState, slot: int) -> list[object]:
        tensors = (state.code_0, state.past_hidden, state.positions, state.running)
        return [*(each[slot].tolist() for each in tensors), written(state, slot, 9).tolist()]

    state, prefill = prefilled([[3, 1, 4]], {0: own})
    run(prefill, 1, {0: own})
    alone = result(state, 0)
    store = torch.zeros_like(state.talker_cache.key_value.flatten(1, 2)[:, :6])
    places = torch.tensor([(5 - position, 0, position) for position in range(5)])
    prefill.keep_prefixes(store, places)

    state, prefill = prefilled([[9, 8, 7], [2, 6, 5]], {0: other, 1: own})
    run(prefill, 2, {0: other, 1: own})
    assert result(state, 1) == alone

    state, prefill = prefilled([[1, 2, 3]], {0: own})
    run(prefill, 1, {0: own}, end=4)
    assert not state.running.any()
    run(prefill, 1, {0: own}, start=4)
    assert result(state, 0) == alone

    state, prefill = prefilled([[9, 8, 7], [2, 6, 5]], {1: own})
    places[:, 1] = 1
    prefill.take_prefixes(store, places)
    run(prefill, 2, {1: own}, start=5)
    assert result(state, 1) == alone


@pytest.mark.slow
@pytest.mark.parametrize("size", ["1.7b", "0.6b"])
def test_launches_of_a_prefill(size: str, nano_cache: Path) -> None:
    """As counted in the class's description, whatever the number of tokens."""
    model = empty_model(size, locate("nano", nano_cache))
    state = FrameState.allocate(model.speech, CacheSize.whole(2, 512), 64)
    with torch.inference_mode(), Launches().recording() as launches:
        FusedPrefill(model.speech, model.prompts, state, 64).run(64)
    kernels = [each for each in launches.all if each.call is not None]
    assert len(kernels) == 174
