"""Compare fused kernels of prompts with `frame.prefill_slots`."""

from __future__ import annotations

from collections.abc import Sequence

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
from qwen_tts_api.model.frame_state import SpeechModel

RUN_TOKENS = 500
"""Of a run: it ends amid prompts."""


@torch.inference_mode()
def compare_prefill(model: SpeechModel, make: MakePrefill) -> None:
    """Compare prompts of different lengths and settings; again, where their halves are known.

    Args:
        model: The weights.
        make: Makes what is compared.

    Raises:
        Differs: It is not `frame.prefill_slots`, within rounding; or by a half that was kept it is
            not what it was, to the bit.
        Exception: Whatever compiling and running it raises.
    """
    rows = Rows.allocate(model)
    key_value, before = rows.state.talker_cache.key_value, small_of(rows.state)
    halves = [length // 2 for length in rows.lengths]
    places = [(row, position) for row, half in enumerate(halves) for position in range(half)]
    index = rows.numbers([n for at, where in enumerate(places) for n in (at, *where)]).view(-1, 3)
    store = key_value.new_zeros(len(key_value), len(places), *key_value.shape[3:])
    fused = make(model, rows.state, RUN_TOKENS)
    ours = _prefilled(fused, rows, [0] * len(rows))
    fused.keep_prefixes(store, index)
    key_value.zero_()
    restore(rows.state, before)
    fused.take_prefixes(store, index)
    again = _prefilled(fused, rows, halves)
    restore(rows.state, before)
    rows.prefill(model)
    _check(ours, again, _result(rows))


def _prefilled(fused: PrefillKernels, rows: Rows, starts: Sequence[int]) -> Small:
    """Run prompts from some positions on, and return what came of it."""
    places = [
        (row, position)
        for row, (start, length) in enumerate(zip(starts, rows.lengths, strict=True))
        for position in range(start, length)
    ]
    for first in range(0, len(places), RUN_TOKENS - 1):
        part = places[first : first + RUN_TOKENS - 1]
        ends = [[0] * len(rows), [0] * len(rows)]
        for index, (row, position) in enumerate(part):
            if position == rows.lengths[row] - 1:
                ends[0][row], ends[1][row] = index, position + 1
        slots, positions = ([place[n] for place in part] for n in range(2))
        tokens = rows.numbers([*slots, 0, *positions, -1]).view(2, -1)  # the last one is padding
        embeds = rows.prompts[tokens[0, :-1], tokens[1, :-1]]
        fused.load([embeds], tokens, rows.numbers([*ends[0], *ends[1]]).view(2, -1))
        fused.run(len(part) + 1)
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
