"""Compare fused kernels with their plain twins: the same work on the same random rows.

Both round in the model's dtype, and not always at the same places. So numbers may differ by
rounding, and a code that is drawn by numbers that differ a little may be another one; from there on
its row says something else, and is not compared any further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.frames import top_k_top_p_for
from qwen_tts_api.engine.runner.kernels.paths import MakeCodec, MakeFrame
from qwen_tts_api.model.codec.decoder import CodecState, decode_pcm
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.frame import advance, prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.model.weights.placement import to_device

TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 6e-2}
"""How far a row of hidden states may be from its twin, relative to it: 8 units in the last place of
a 16-bit format, after 28 layers that round some ten times each."""

SAMPLES_TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 0.3}
"""How far a stream's samples may be: the codec makes much of rounding. In bfloat16 the samples of
nano are 20 dB (a tenth) from those in float32, in float16 37 dB, by either path."""

MAX_DIVERGENCE = 0.1
"""Of codes that both draw by the same history, at most so many may differ, and one more, for each
kind of settings. By rounding alone it is one or two in a hundred in bfloat16; where something is
wrong, nearly all."""

LENGTHS = (290, 257, 256, 255, 192, 130, 129, 128, 65, 64, 63, 33, 17, 9, 2, 1)
"""Of the rows' prompts: around the bounds of pages and splits, short ones and long ones."""

KINDS = (
    SamplingParams(),
    SamplingParams(temperature=0, subtalker_temperature=0),
    SamplingParams(top_k=0, top_p=0.8, subtalker_top_k=0, subtalker_top_p=0.9),
    SamplingParams(top_k=5, repetition_penalty=1.3, subtalker_temperature=1.4),
)
"""Settings of the rows, in turn."""

PAUSED = (3, 8)
"""Rows that are not running; nothing of them may move."""

NUM_FRAMES = 2
"""The second reads what the first has written."""

POSITIONS = 320
NUM_TEXTS = 4

NUM_STREAMS = 3
CHUNKS = (1, 4, 24, 2)
"""Frames of the chunks that are compared, one after another."""

Small = dict[str, Tensor]
"""A state's tensors, by their names, without the caches."""

HIDDEN, WRITTEN = "past_hidden", "keys and values"


class Differs(Exception):
    """A fused kernel does not compute what its plain twin does."""


@torch.inference_mode()
def compare_frame(model: SpeechModel, make: MakeFrame) -> None:
    """Compare two frames of some rows of different lengths and settings, some of them paused.

    Args:
        model: The weights.
        make: Makes what is compared.

    Raises:
        Differs: It is not `frame.advance`, within rounding.
        Exception: Whatever compiling and running it raises.
    """
    settings = [replace(KINDS[row % len(KINDS)], seed=row) for row in range(len(LENGTHS))]
    state = _running_state(model, settings)
    before = _small(state)
    # The fused one first, which must not find what the plain one has written.
    fused = make(model, state)
    ours = _frames(state, lambda: fused.advance(len(LENGTHS)))
    for name, tensor in before.items():
        getattr(state, name).copy_(tensor)
    top_k_top_p = top_k_top_p_for(settings)
    plain = _frames(state, lambda: advance(model, state, len(LENGTHS), POSITIONS, top_k_top_p))
    for mine, theirs in zip(ours, plain, strict=True):
        _check_bookkeeping(mine, theirs, before)
    _check_numbers(ours, plain)


@torch.inference_mode()
def compare_codec(weights: CodecWeights, make: MakeCodec) -> None:
    """Compare successive chunks of a few streams, with random codes.

    Args:
        weights: The codec's.
        make: Makes what is compared.

    Raises:
        Differs: It is not `decode_pcm`, within rounding.
        Exception: Whatever compiling and running it raises.
    """
    device = weights.tables.device
    random = torch.Generator(device).manual_seed(0)
    num_entries = weights.tables.shape[0] // weights.num_code_groups
    fused = make(weights)
    ours, plain = (CodecState.allocate(weights, NUM_STREAMS + 1) for _ in range(2))
    slots = to_device(range(NUM_STREAMS, 0, -1), torch.device(device))
    for num_frames in CHUNKS:
        shape = (NUM_STREAMS, num_frames, weights.num_code_groups)
        codes = torch.randint(num_entries, shape, device=device, generator=random)
        mine = fused.decode(ours, codes, slots)
        theirs = decode_pcm(weights, plain, codes, slots)
        if not torch.equal(ours.frames, plain.frames):
            raise Differs(f"frames is {ours.frames.tolist()} instead of {plain.frames.tolist()}")
        rows = range(NUM_STREAMS)
        _check_errors("samples", _errors(mine, theirs, rows), SAMPLES_TOLERANCE[weights.dtype])


def _running_state(model: SpeechModel, settings: Sequence[SamplingParams]) -> FrameState:
    """Return a state whose rows have had prompts of random codes."""
    table = model.talker.code_embeddings
    device = table.device
    random = torch.Generator(device).manual_seed(0)

    def embeddings(*shape: int) -> Tensor:
        rows = torch.randint(len(table), shape, device=device, generator=random)
        return table[rows]

    num_rows = len(LENGTHS)
    per_row = CacheSize.whole(1, POSITIONS).num_pages
    # With a page too many, so that the rows' pages may lie anywhere.
    size = CacheSize(num_rows, POSITIONS, num_rows * per_row + 1)
    state = FrameState.allocate(model, size, NUM_TEXTS)
    order = torch.Generator(device).manual_seed(1)
    pages = 1 + torch.randperm(size.num_pages, device=device, generator=order)
    for row, params in enumerate(settings):
        state.talker_cache.give(row, 0, pages[row * per_row : (row + 1) * per_row])
        text = embeddings(row % (NUM_TEXTS + 1))
        state.set_slot(row, params, text, embeddings(1)[0])
    index = to_device(range(num_rows), device)
    prompts, lengths = embeddings(num_rows, max(LENGTHS)), to_device(LENGTHS, device)
    prefill_slots(model, state, prompts, lengths, index, top_k_top_p_for(settings))
    for row in PAUSED:
        state.stop(row)
    return state


def _frames(state: FrameState, frame: Callable[[], None]) -> list[Small]:
    """Return the state after each of some frames."""
    results = []
    for _ in range(NUM_FRAMES):
        frame()
        results.append(_small(state) | {WRITTEN: _written(state)})
    return results


def _written(state: FrameState) -> Tensor:
    """Return the keys and values that the latest frame has written, a row each."""
    cache = state.talker_cache
    indices = cache.indices(cache.page_table, (state.positions - 1).unsqueeze(-1)).squeeze(-1)
    return cache.key_value.flatten(1, 2)[:, indices].transpose(0, 1).flatten(1)


def _small(state: FrameState) -> Small:
    values = {each.name: getattr(state, each.name) for each in fields(state)}
    return {name: each.clone() for name, each in values.items() if isinstance(each, Tensor)}


def _check_bookkeeping(ours: Small, plain: Small, before: Small) -> None:
    """Check what has no rounding: how far each row is, and that paused ones stay as they were."""
    for name in ("positions", "frames", "running"):
        if not torch.equal(ours[name], plain[name]):
            raise Differs(f"{name} is {ours[name].tolist()} instead of {plain[name].tolist()}")
    for name in ("code_0", HIDDEN, "seen"):
        for row in PAUSED:
            if not torch.equal(ours[name][row], before[name][row]):
                raise Differs(f"{name} of a slot that does not run has changed")


def _check_numbers(ours: Sequence[Small], plain: Sequence[Small]) -> None:
    """Check codes and hidden states, of each row as long as it has drawn the same codes."""
    rows = [row for row in range(len(LENGTHS)) if row not in PAUSED]
    num_drawn, num_other = [0] * len(KINDS), [0] * len(KINDS)
    errors: dict[str, list[float]] = {HIDDEN: [], WRITTEN: []}
    for mine, theirs in zip(ours, plain, strict=True):
        for row in list(rows):
            num_same, num_codes = _num_same(_codes(mine, row), _codes(theirs, row))
            num_drawn[row % len(KINDS)] += min(num_same + 1, num_codes)
            if num_same < num_codes:
                num_other[row % len(KINDS)] += 1
                rows.remove(row)
        for name, found in errors.items():
            found += _errors(mine[name], theirs[name], rows)
    for kind, drawn, other in zip(KINDS, num_drawn, num_other, strict=True):
        if other > MAX_DIVERGENCE * drawn + 1:
            raise Differs(f"{other} of {drawn} codes are others, with {kind}")
    for name, found in errors.items():
        _check_errors(name, found, TOLERANCE[plain[0][name].dtype])


def _num_same(ours: Sequence[int], plain: Sequence[int]) -> tuple[int, int]:
    """Return how many codes are the same before the first that is not, and how many there are."""
    differing = [n for n, (one, other) in enumerate(zip(ours, plain, strict=True)) if one != other]
    return (differing or [len(plain)])[0], len(plain)


def _check_errors(what: str, errors: Sequence[float], tolerance: float) -> None:
    for error in errors:
        if not error <= tolerance:  # NaN is not, either
            raise Differs(f"{what} are off by {error:.2g} of their size, more than {tolerance}")


def _codes(state: Small, row: int) -> list[int]:
    """Return a row's codes in the order in which they were drawn."""
    drawn: list[int] = [*state["codes"][row, 1:].tolist(), int(state["code_0"][row])]
    return drawn


def _errors(ours: Tensor, plain: Tensor, rows: Sequence[int]) -> list[float]:
    """Return each row's distance from its twin, relative to that; NaN if one is not finite."""
    mine, theirs = ours[list(rows)].float(), plain[list(rows)].float()
    errors: list[float] = ((mine - theirs).norm(dim=-1) / theirs.norm(dim=-1)).tolist()
    return errors
