"""Compare fused kernels of a frame with `frame.advance`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from qwen_tts_api.engine.runner.kernels.comparison.rows import (
    HIDDEN,
    KINDS,
    MAX_DIVERGENCE,
    POSITIONS,
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
from qwen_tts_api.engine.runner.kernels.comparison.sampled_codes import compare_sampled_codes
from qwen_tts_api.engine.runner.kernels.paths import MakeFrame
from qwen_tts_api.model.frame import advance
from qwen_tts_api.model.frame_state import FrameState, SpeechModel

PAUSED = (3, 8, 16, 17)
"""Rows that are not running; nothing of them may move."""

BATCHES = (18, 16)
"""How many rows each frame has: more than 16 of them are multiplied in larger tiles. All others are
paused. The second frame reads what the first has written."""

PREDICTED = "keys and values of the code predictor"


@torch.inference_mode()
def compare_frame(model: SpeechModel, make: MakeFrame) -> None:
    """Compare two frames of some rows of different lengths and settings, some of them paused.

    Hidden states are compared by whole frames, sampling by given logits.

    Args:
        model: The weights.
        make: Makes what is compared.

    Raises:
        Differs: It is not `frame.advance`, within rounding.
        Exception: Whatever compiling and running it raises.
    """
    rows = Rows.allocate(model)
    rows.prefill(model)
    state = rows.state
    for row in PAUSED:
        state.stop(row)
    before = small_of(state)
    # The fused one first, which must not find what the plain one has written.
    fused = make(model, state)
    ours = _frames(state, fused.advance)
    restore(state, before)
    plain = _frames(state, lambda num: advance(model, state, num, POSITIONS, rows.top_k_top_p))
    for mine, theirs in zip(ours, plain, strict=True):
        _check_bookkeeping(mine, theirs, before)
    _check_numbers(ours, plain)
    compare_sampled_codes(model, state, fused)


def _frames(state: FrameState, frame: Callable[[int], None]) -> list[Small]:
    """Return the state after each of some frames, of so many rows."""
    results = []
    for num_rows in BATCHES:
        frame(min(num_rows, len(state.code_0)))
        written = written_at(state, state.positions - 1)
        predicted = state.code_predictor_cache.key_value.transpose(0, 1).clone()
        results.append(small_of(state) | {WRITTEN: written, PREDICTED: predicted})
    return results


def _check_bookkeeping(ours: Small, plain: Small, before: Small) -> None:
    """Check what has no rounding: how far each row is, and that paused ones stay as they were."""
    check_progress(ours, plain)
    for name in ("code_0", HIDDEN, "seen"):
        for row in PAUSED:
            if not torch.equal(ours[name][row], before[name][row]):
                raise Differs(f"{name} of a slot that does not run has changed")


def _check_numbers(ours: Sequence[Small], plain: Sequence[Small]) -> None:
    """Check codes and states, of each row as long as it has sampled the same codes."""
    rows = [row for row in range(len(ours[0][HIDDEN])) if row not in PAUSED]
    num_sampled, num_other = [0] * len(KINDS), [0] * len(KINDS)
    errors: dict[str, list[float]] = {HIDDEN: [], WRITTEN: [], PREDICTED: []}
    for mine, theirs in zip(ours, plain, strict=True):
        for row in list(rows):
            num_same, num_codes = _num_same(_codes(mine, row), _codes(theirs, row))
            num_sampled[row % len(KINDS)] += min(num_same + 1, num_codes)
            # Two positions come before that of code 1.
            known = slice(num_same + 2)
            predicted = [each[PREDICTED][:, :, known].flatten(1) for each in (mine, theirs)]
            errors[PREDICTED] += errors_of(predicted[0], predicted[1], [row])
            if num_same < num_codes:
                num_other[row % len(KINDS)] += 1
                rows.remove(row)
        for name in (HIDDEN, WRITTEN):
            errors[name] += errors_of(mine[name], theirs[name], rows)
    for kind, sampled, other in zip(KINDS, num_sampled, num_other, strict=True):
        if other > MAX_DIVERGENCE * sampled + 1:
            raise Differs(f"{other} of {sampled} codes are others, with {kind}")
    for name, found in errors.items():
        check_errors(name, found, TOLERANCE[plain[0][name].dtype])


def _num_same(ours: Sequence[int], plain: Sequence[int]) -> tuple[int, int]:
    """Return how many codes are the same before the first that is not, and how many there are."""
    differing = [n for n, (one, other) in enumerate(zip(ours, plain, strict=True)) if one != other]
    return (differing or [len(plain)])[0], len(plain)


def _codes(state: Small, row: int) -> list[int]:
    """Return a row's codes in the order in which they were sampled."""
    sampled: list[int] = [*state["codes"][row, 1:].tolist(), int(state["code_0"][row])]
    return sampled
