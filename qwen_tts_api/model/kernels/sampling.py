"""Sampling a code a slot without sorting, as `model.sampling` defines it.

Thresholds are found by bisection on the bits of the scores: what top-k and top-p keep, and the
rank at which the running sum of probabilities passes the random number. Where scores are equal the
smaller code ranks first, as in a stable sort.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.frame_state import FrameState
from qwen_tts_api.model.kernels.slots import copy_row
from qwen_tts_api.model.sampling import (
    GAMMA,
    MULTIPLIERS,
    SHIFTS,
    UNIFORM_BITS,
    UNIFORM_SCALE,
    LogitsBias,
    SamplingTensors,
)

_BLOCK = 1024
"""Elements of an embedding that a program moves at a time."""


def sample_code(
    logits: Tensor,
    state: FrameState,
    codes: Tensor,
    group: int,
    num_slots: int,
    table: Tensor,
    x: Tensor,
) -> None:
    """Sample code `group` of each slot's frame, and make the next pass's input of it.

    Reference: `sampling.sample` with the number of `sampling.CounterRng`, then
    `functional.embedding`.

    Args:
        logits: `[>= num_slots, V_p]` float32.
        state: Has the slots' parameters, keys and frames.
        codes: `[R, G]` int64, written at `group`.
        group: 1 to G - 1.
        num_slots: B.
        table: `[V_p, D_p]`: embeddings of this code.
        x: `[>= num_slots, D_p]`, written with them.
    """
    _sample_code_kernel[(num_slots,)](
        logits,
        *_parameters(state.subtalker_sampling),
        state.keys,
        state.frames,
        codes,
        table,
        x,
        group,
        VOCABULARY=logits.shape[1],
        PADDED=triton.next_power_of_2(logits.shape[1]),
        GROUPS=codes.shape[1],
        WIDTH=x.shape[1],
        BLOCK=_BLOCK,
        enable_fp_fusion=False,
    )


def sample_code_0(
    logits: Tensor,
    state: FrameState,
    bias: LogitsBias,
    next_code_0: Tensor,
    num_slots: int,
    frames: Tensor,
) -> None:
    """Sample code 0 of the frame after each slot's.

    Reference: `sampling.LogitsBias.apply`, then `sampling.sample`, in `frame.advance`.

    Args:
        logits: `[>= num_slots, V]` float32.
        state: Has the slots' parameters, keys, codes 0 so far, and before how many of them none may
            end.
        bias: By the number of codes 0 so far.
        next_code_0: `[R]` int64, written.
        num_slots: B.
        frames: `[R]` int64: the slots' frames; -1 after a prompt.
    """
    _sample_code_0_kernel[(num_slots,)](
        logits,
        bias.bias,
        state.seen,
        state.penalty,
        *_parameters(state.sampling),
        state.keys,
        frames,
        state.min_codes,
        next_code_0,
        VOCABULARY=logits.shape[1],
        PADDED=triton.next_power_of_2(logits.shape[1]),
        GROUPS=state.codes.shape[1],
        NUM_BIASES=bias.bias.shape[0],
        enable_fp_fusion=False,
    )


def _parameters(params: SamplingTensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return params.temperature, params.last_rank, params.tail, params.uniform_scale


_GAMMA = tl.constexpr(GAMMA % 2**64)
_FIRST = tl.constexpr(MULTIPLIERS[0] % 2**64)
_SECOND = tl.constexpr(MULTIPLIERS[1] % 2**64)
_SHIFTS = tl.constexpr(SHIFTS)
_DISCARDED_BITS = tl.constexpr(64 - UNIFORM_BITS)
_SCALE = tl.constexpr(UNIFORM_SCALE)


@triton.jit
def _uniform(key, frame, number, GROUPS: tl.constexpr):
    """Return random number `number` of a frame, in [0, 1). Reference: `CounterRng.uniforms`."""
    count = (frame * GROUPS + number + 1).to(tl.uint64)
    mixed = key.to(tl.uint64) + count * _GAMMA
    mixed = (mixed ^ (mixed >> _SHIFTS[0])) * _FIRST
    mixed = (mixed ^ (mixed >> _SHIFTS[1])) * _SECOND
    mixed = mixed ^ (mixed >> _SHIFTS[2])
    return (mixed >> _DISCARDED_BITS).to(tl.float32) * _SCALE


@triton.jit
def _ordered(scores):
    """Return int32 that are ordered as the floats are; 0 and -0 are equal."""
    bits = tl.where(scores == 0, 0.0, scores).to(tl.int32, bitcast=True)
    return tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


@triton.jit
def _level(order, mass, wanted):
    """Return the highest level at or above which `mass` sums to more than `wanted`, int32.

    By bisection, where each step ends at a level that there is.

    Args:
        order: `[PADDED]` int32, the levels.
        mass: `[PADDED]` float32 or int32, not negative; where it is 0 there is no level.
        wanted: Less than their sum; else the lowest level is returned.
    """
    there = mass > 0
    low = tl.min(tl.where(there, order, 0x7FFFFFFF), 0)
    high = tl.max(tl.where(there, order, -0x80000000), 0)
    while low < high:
        distance = high.to(tl.int64) - low + 1
        middle = (low + distance // 2).to(tl.int32)
        above = order >= middle
        reached = tl.sum(tl.where(above, mass, 0), 0) > wanted
        # The level next to the middle, on the side where the wanted one is: `low` is below it, and
        # what is reached is above. Complements are in reverse order: so it is one minimum.
        nearest = tl.where(reached, order, ~order)
        nearest = tl.min(tl.where(there & (above == reached), nearest, 0x7FFFFFFF), 0)
        low = tl.where(reached, nearest, low)
        high = tl.where(reached, high, ~nearest)
    return low


@triton.jit
def _nucleus(order, codes, mass, tail):
    """Return `mass` without the codes that together have no more than `tail` of it: top-p.

    They are counted from the lowest up. The highest always stays.
    """
    wanted = tail * tl.sum(mass, 0)
    lowest = ~_level(~order, mass, wanted)
    ties = tl.where(order == lowest, mass, 0.0)
    below = tl.sum(tl.where(order < lowest, mass, 0.0), 0)
    rest = below + tl.sum(ties, 0) - tl.cumsum(ties, 0) + ties
    highest = tl.max(tl.where(mass > 0, order, -0x80000000), 0)
    first = tl.min(tl.where((order == highest) & (mass > 0), codes, 0x7FFFFFFF), 0)
    kept = (order > lowest) | ((order == lowest) & (rest > wanted)) | (codes == first)
    return tl.where(kept, mass, 0.0)


@triton.jit
def _sample(scores, codes, temperature, last_rank, tail, uniform, VOCABULARY: tl.constexpr):
    """Return one code by `scores` `[PADDED]`, -inf from VOCABULARY on: `sampling.sample`."""
    scores = tl.div_rn(scores, temperature)
    order = _ordered(scores)
    valid = codes < VOCABULARY
    # As integers, which a warp sums in one instruction.
    kept = valid & (order >= _level(order, valid.to(tl.int32), last_rank.to(tl.int32)))
    mass = tl.where(kept, tl.exp(scores - tl.max(scores, 0)), 0.0)
    if tail > 0:
        mass = _nucleus(order, codes, mass, tail)
    wanted = uniform * tl.sum(mass, 0)
    level = _level(order, mass, wanted)
    ties = tl.where(order == level, mass, 0.0)
    running = tl.sum(tl.where(order > level, mass, 0.0), 0) + tl.cumsum(ties, 0)
    passed = tl.min(tl.where((ties > 0) & (running > wanted), codes, VOCABULARY), 0)
    last = tl.max(tl.where(ties > 0, codes, 0), 0)  # where rounding let none pass
    return tl.where(passed < VOCABULARY, passed, last)


@triton.jit(do_not_specialize=["group"])
def _sample_code_kernel(
    logits,
    temperature,
    last_rank,
    tail,
    uniform_scale,
    keys,
    frames,
    codes,
    table,
    x,
    group,
    VOCABULARY: tl.constexpr,
    PADDED: tl.constexpr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One slot of `sample_code`."""
    slot = tl.program_id(0)
    index = tl.arange(0, PADDED)
    scores = tl.load(logits + slot * VOCABULARY + index, index < VOCABULARY, float("-inf"))
    uniform = _uniform(tl.load(keys + slot), tl.load(frames + slot), group, GROUPS)
    code = _sample(
        scores,
        index,
        tl.load(temperature + slot),
        tl.load(last_rank + slot),
        tl.load(tail + slot),
        uniform * tl.load(uniform_scale + slot),
        VOCABULARY,
    )
    tl.store(codes + slot * GROUPS + group, code.to(tl.int64))
    copy_row(table + code * WIDTH, x + slot * WIDTH, WIDTH, BLOCK)


@triton.jit
def _sample_code_0_kernel(
    logits,
    bias,
    seen,
    penalty,
    temperature,
    last_rank,
    tail,
    uniform_scale,
    keys,
    frames,
    min_codes,
    next_code_0,
    VOCABULARY: tl.constexpr,
    PADDED: tl.constexpr,
    GROUPS: tl.constexpr,
    NUM_BIASES: tl.constexpr,
):
    """One slot of `sample_code_0`."""
    slot = tl.program_id(0)
    index = tl.arange(0, PADDED)
    valid = index < VOCABULARY
    frame = tl.load(frames + slot)
    scores = tl.load(logits + slot * VOCABULARY + index, valid, float("-inf"))
    factor = tl.load(penalty + slot)
    penalised = tl.where(scores < 0, scores * factor, tl.div_rn(scores, factor))
    said = tl.load(seen + slot * VOCABULARY + index, valid, 0) != 0
    # The last bias allows the end of speech.
    last: tl.constexpr = NUM_BIASES - 1
    number = tl.minimum(tl.maximum(frame + 1 - tl.load(min_codes + slot) + last, 0), last)
    row = bias + number * VOCABULARY
    scores = tl.where(said, penalised, scores) + tl.load(row + index, valid, float("-inf"))
    code = _sample(
        scores,
        index,
        tl.load(temperature + slot),
        tl.load(last_rank + slot),
        tl.load(tail + slot),
        _uniform(tl.load(keys + slot), frame, GROUPS, GROUPS) * tl.load(uniform_scale + slot),
        VOCABULARY,
    )
    tl.store(next_code_0 + slot, code.to(tl.int64))
