"""Compare fused kernels of prompts with `PromptWeights.embed` and `frame.prefill_slots`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import torch

from qwen_tts_api.engine.runner.kernels.comparison.rows import (
    HIDDEN,
    MAX_DIVERGENCE,
    TOLERANCE,
    WRITTEN,
    Differs,
    Rows,
    Small,
    check_errors,
    check_progress,
    errors_of,
    restore,
    small_of,
    written_at,
)
from qwen_tts_api.engine.runner.kernels.paths import MakePrefill, PrefillKernels
from qwen_tts_api.engine.runner.prefill.spans import load, runs_of
from qwen_tts_api.model.frame_state import SpeechModel
from qwen_tts_api.model.prompt import GIVEN, NONE, PromptWeights, TalkerPrompt

RUN_TOKENS = 500
"""Of a run: it ends amid prompts."""


@torch.inference_mode()
def compare_prefill(model: SpeechModel, weights: PromptWeights, make: MakePrefill) -> None:
    """Compare prompts of different lengths and settings; again, where their halves are known.

    Args:
        model: The weights of the language models.
        weights: Those of the embeddings.
        make: Makes what is compared.

    Raises:
        Differs: It is not `frame.prefill_slots`, within rounding; or by a half that was kept it is
            not what it was, to the bit.
        Exception: Whatever compiling and running it raises.
    """
    rows = Rows.allocate(model)
    prompts = _prompts(weights, rows.lengths)
    embeds = [weights.embed(each) for each in prompts]
    rows = replace(rows, prompts=torch.nn.utils.rnn.pad_sequence(embeds, batch_first=True))
    key_value, before = rows.state.talker_cache.key_value, small_of(rows.state)
    halves = [length // 2 for length in rows.lengths]
    places = [(row, position) for row, half in enumerate(halves) for position in range(half)]
    index = rows.numbers([n for at, where in enumerate(places) for n in (at, *where)]).view(-1, 3)
    store = key_value.new_zeros(len(key_value), len(places), *key_value.shape[3:])
    fused = make(model, weights, rows.state, RUN_TOKENS)
    ours = _prefilled(fused, rows, prompts, [0] * len(rows))
    fused.keep_prefixes(store, index)
    key_value.zero_()
    restore(rows.state, before)
    fused.take_prefixes(store, index)
    again = _prefilled(fused, rows, prompts, halves)
    restore(rows.state, before)
    rows.prefill(model)
    _check(ours, again, _result(rows))


def _prompts(weights: PromptWeights, lengths: Sequence[int]) -> list[TalkerPrompt]:
    """Return prompts of random ids that any checkpoint has; of a part of them all three kinds."""
    random_, table = random.Random(0), weights.talker.code_embeddings
    num_text, num_codes = weights.text_embedding.shape[0], weights.talker.vocabulary
    prompts = []
    for length in lengths:
        text = random_.choices(range(num_text), k=length)
        codes = [random_.choice((NONE, GIVEN, random_.randrange(num_codes))) for _ in text]
        prompts.append(TalkerPrompt(text, codes, table[: codes.count(GIVEN)]))
    return prompts


def _prefilled(
    fused: PrefillKernels, rows: Rows, prompts: Sequence[TalkerPrompt], starts: Sequence[int]
) -> Small:
    """Run prompts from some positions on, and return what came of it."""
    for spans in runs_of([*enumerate(prompts)], starts, RUN_TOKENS - 1):
        num_tokens = sum(span.end - span.start for span in spans) + 1  # with one of padding
        load(fused, spans, num_tokens, len(rows), rows.prompts.device)
        fused.run(num_tokens)
    return _result(rows)


def _result(rows: Rows) -> Small:
    """Return the state, with the keys and values at the ends and in the middle of prompts."""
    lengths = rows.numbers(rows.lengths)
    written = [written_at(rows.state, at) for at in (lengths - 1, lengths // 2)]
    return small_of(rows.state) | {WRITTEN: torch.cat(written, 1)}


def _check(ours: Small, again: Small, plain: Small) -> None:
    check_progress(ours, plain)
    for name in (HIDDEN, WRITTEN):
        errors = errors_of(ours[name], plain[name], range(len(ours[name])))
        check_errors(name, errors, TOLERANCE[plain[name].dtype])
    num_other = int((ours["code_0"] != plain["code_0"]).sum())
    if num_other > MAX_DIVERGENCE * len(ours["code_0"]) + 1:
        raise Differs(f"{num_other} of {len(ours['code_0'])} codes are others")
    for name, tensor in ours.items():
        if not torch.equal(tensor, again[name]):
            raise Differs(f"{name} changes where the beginnings of prompts are known")
