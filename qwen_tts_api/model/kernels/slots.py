"""What a frame reads of its slots and writes to them: embeddings at its ends, its codes at last."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.talker import TalkerWeights

_BLOCK = 1024
"""Elements that a program moves at a time."""


def open_frame(
    state: FrameState, table: Tensor, codes: Tensor, pairs: Tensor, num_slots: int, *, project: bool
) -> None:
    """Begin the frames of slots with their code 0; make the code predictor's first two tokens.

    Reference: the first pass of `code_predictor.predict_frame` up to `torch.stack`.

    Args:
        state: Has `code_0` and `past_hidden`.
        table: `[V, D_p]`: embeddings of code 0.
        codes: `[R, G]` int64, written at group 0.
        pairs: `[2 * R, D_p]`, written: each slot's hidden state and the embedding of its code 0.
        num_slots: B.
        project: The hidden states have already been written to `pairs`, through a projection.
    """
    _open_kernel[(num_slots,)](
        state.code_0,
        None if project else state.past_hidden,
        table,
        codes,
        pairs,
        GROUPS=codes.shape[1],
        WIDTH=pairs.shape[1],
        BLOCK=_BLOCK,
    )


def embed_frame(
    state: FrameState,
    talker: TalkerWeights,
    codes: Tensor,
    x: Tensor,
    positions: Tensor,
    num_slots: int,
) -> None:
    """Make the talker's input from the codes and the text of each slot's frame.

    Reference: `TalkerWeights.embed_frame` and the text's embedding in `frame.advance`; summed in
    float32 in the order of the groups, rounded once, and once more after the text's embedding.

    Args:
        state: Has the text, and the slots' positions and frames.
        talker: Has the embeddings.
        codes: `[R, G]` int64.
        x: `[R, D]`, written.
        positions: `[R]` int64, written: as `Tokens.positions` of this step: no token where a slot
            is not running.
        num_slots: B.
    """
    width, block = x.shape[1], min(_BLOCK, triton.next_power_of_2(x.shape[1]))
    _embed_kernel[(num_slots, triton.cdiv(width, block))](
        codes,
        talker.code_offsets,
        talker.code_embeddings,
        state.text,
        state.text_lengths,
        state.frames,
        state.running,
        state.positions,
        positions,
        x,
        state.text.shape[1],
        GROUPS=codes.shape[1],
        WIDTH=width,
        BLOCK=block,
    )


def close_frame(
    state: FrameState, codes: Tensor, next_code_0: Tensor, hidden: Tensor, num_slots: int
) -> None:
    """Let the running slots move on to their next frames: nothing else changes a slot.

    Reference: the end of `frame.advance`.

    Args:
        state: Its `codes`, `code_0`, `past_hidden`, `seen`, `positions` and `frames` are updated.
        codes: `[R, G]` int64: the frames.
        next_code_0: `[R]` int64: of the next ones.
        hidden: `[R, D]`: the states that these were sampled from.
        num_slots: B.
    """
    _close_kernel[(num_slots,)](
        codes,
        next_code_0,
        hidden,
        state.running,
        state.codes,
        state.code_0,
        state.past_hidden,
        state.seen,
        state.positions,
        state.frames,
        state.last_position,
        GROUPS=codes.shape[1],
        PADDED_GROUPS=triton.next_power_of_2(codes.shape[1]),
        VOCABULARY=state.seen.shape[1],
        WIDTH=hidden.shape[1],
        BLOCK=_BLOCK,
    )


@triton.jit
def copy_row(source, target, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Copy WIDTH elements from one pointer to another."""
    for start in range(0, WIDTH, BLOCK):
        inner = start + tl.arange(0, BLOCK)
        tl.store(target + inner, tl.load(source + inner, inner < WIDTH), inner < WIDTH)


@triton.jit
def _open_kernel(
    code_0,
    past_hidden,
    table,
    codes,
    pairs,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One slot of `open_frame`; `past_hidden` is None where it was projected."""
    slot = tl.program_id(0)
    code = tl.load(code_0 + slot)
    tl.store(codes + slot * GROUPS, code)
    pair = pairs + slot * (2 * WIDTH)
    if past_hidden is not None:
        copy_row(past_hidden + slot * WIDTH, pair, WIDTH, BLOCK)
    copy_row(table + code * WIDTH, pair + WIDTH, WIDTH, BLOCK)


@triton.jit(do_not_specialize=["num_text"])
def _embed_kernel(
    codes,
    offsets,
    table,
    text,
    text_lengths,
    frames,
    running,
    positions,
    token_positions,
    x,
    num_text,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One slot, BLOCK elements of `embed_frame`."""
    dtype = x.dtype.element_ty
    slot = tl.program_id(0)
    inner = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = inner < WIDTH
    total = tl.zeros([BLOCK], tl.float32)
    for group in range(GROUPS):
        row = tl.load(codes + slot * GROUPS + group) + tl.load(offsets + group)
        total += tl.load(table + row * WIDTH + inner, mask, 0.0).to(tl.float32)
    index = tl.minimum(tl.load(frames + slot), tl.load(text_lengths + slot))
    row = slot.to(tl.int64) * num_text + index
    spoken = tl.load(text + row * WIDTH + inner, mask, 0.0)
    tl.store(x + slot * WIDTH + inner, (total.to(dtype) + spoken).to(dtype), mask)
    if tl.program_id(1) == 0:
        position = tl.load(positions + slot)
        position = tl.where(tl.load(running + slot) != 0, position, -1)
        tl.store(token_positions + slot, position)


@triton.jit
def _close_kernel(
    frame_codes,
    next_code_0,
    hidden,
    running,
    codes,
    code_0,
    past_hidden,
    seen,
    positions,
    frames,
    last_position,
    GROUPS: tl.constexpr,
    PADDED_GROUPS: tl.constexpr,
    VOCABULARY: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One slot of `close_frame`."""
    slot = tl.program_id(0)
    if tl.load(running + slot) == 0:
        return
    copy_row(frame_codes + slot * GROUPS, codes + slot * GROUPS, GROUPS, PADDED_GROUPS)
    copy_row(hidden + slot * WIDTH, past_hidden + slot * WIDTH, WIDTH, BLOCK)
    code = tl.load(next_code_0 + slot)
    tl.store(code_0 + slot, code)
    tl.store(seen + slot * VOCABULARY + code, True)
    tl.store(positions + slot, tl.minimum(tl.load(positions + slot) + 1, last_position))
    tl.store(frames + slot, tl.load(frames + slot) + 1)
