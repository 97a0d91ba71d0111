"""Rows of slots that both paths compute, and how far they may be from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.frames import top_k_top_p_for
from qwen_tts_api.model.frame import prefill_slots
from qwen_tts_api.model.frame_state import FrameState, SlotStart, SpeechModel
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SamplingParams
from qwen_tts_api.model.weights.placement import to_device

TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 6e-2}
"""How far a row of hidden states may be from its reference, relative to that: 8 units in the last
place of a 16-bit format, after 28 layers that round some ten times each."""

MAX_DIVERGENCE = 0.5
"""Of codes that both sample by the same history, at most so many may differ, and one more, for each
kind of settings. By rounding alone it is one in fifty in bfloat16; where something is wrong, nearly
all."""

LENGTHS = (290, 257, 256, 255, 192, 130, 129, 128, 65, 64, 63, 33, 17, 9, 2, 1, 5, 40)
"""Of the rows' prompts: around the bounds of pages and splits, short ones and long ones."""

SHARP = 1e-3
"""A temperature at which the likeliest code is sampled. At a usual one rounding decides: logits of
16 bits are equal by the dozen, and each change of their order is another code. In a model of 0.6B's
size with random weights in bfloat16 every second code differs, however right the kernels are."""

KINDS = (
    SamplingParams(temperature=SHARP, subtalker_temperature=SHARP),
    SamplingParams(temperature=0, subtalker_temperature=0),
    SamplingParams(
        temperature=SHARP,
        top_k=0,
        top_p=0.8,
        subtalker_temperature=SHARP,
        subtalker_top_k=0,
        subtalker_top_p=0.9,
    ),
    SamplingParams(
        temperature=SHARP, top_k=5, repetition_penalty=1.3, subtalker_temperature=2 * SHARP
    ),
)
"""Settings of the rows, in turn."""

POSITIONS = 320
NUM_TEXTS = 4

Small = dict[str, Tensor]
"""A state's tensors, by their names, without the caches."""

HIDDEN, WRITTEN = "past_hidden", "keys and values"


class Differs(Exception):
    """A fused kernel does not compute what its reference does."""


@dataclass(frozen=True)
class Rows:
    """Slots that have pages and settings, and random prompts for them.

    Attributes:
        state: Of a slot a row.
        prompts: `[rows, longest, D]`.
        lengths: Of the prompts.
        settings: As they were set.
    """

    state: FrameState
    prompts: Tensor
    lengths: Sequence[int]
    settings: Sequence[SamplingParams]

    @classmethod
    def allocate(cls, model: SpeechModel) -> Rows:
        """Return rows of which none is running."""
        table = model.talker.code_embeddings
        device, random = table.device, torch.Generator(table.device).manual_seed(0)

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
        settings = [replace(KINDS[row % len(KINDS)], seed=row) for row in range(num_rows)]
        for row, params in enumerate(settings):
            state.talker_cache.give(row, 0, pages[row * per_row : (row + 1) * per_row])
            text = embeddings(row % (NUM_TEXTS + 1))
            state.set_slots([SlotStart(row, params, text)], embeddings(1))
        return cls(state, embeddings(num_rows, max(LENGTHS)), LENGTHS, settings)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def top_k_top_p(self) -> TopKTopP:
        """What the settings need."""
        return top_k_top_p_for(self.settings)

    def prefill(self, model: SpeechModel) -> None:
        """Run the prompts by PyTorch's operators."""
        slots, lengths = (self.numbers(each) for each in (range(len(self)), self.lengths))
        prefill_slots(model, self.state, self.prompts, lengths, slots, self.top_k_top_p)

    def numbers(self, values: Sequence[int]) -> Tensor:
        """Return integers on the device."""
        return to_device(values, self.prompts.device)


def small_of(state: FrameState) -> Small:
    """Return copies of a state's tensors."""
    values = {each.name: getattr(state, each.name) for each in fields(state)}
    return {name: each.clone() for name, each in values.items() if isinstance(each, Tensor)}


def restore(state: FrameState, small: Small) -> None:
    """Let a state be what it was, but for its caches."""
    for name, tensor in small.items():
        getattr(state, name).copy_(tensor)


def written_at(state: FrameState, positions: Tensor) -> Tensor:
    """Return the keys and values at a position of each row, a row each."""
    cache = state.talker_cache
    indices = cache.indices(cache.page_table, positions.unsqueeze(-1)).squeeze(-1)
    return cache.key_value.flatten(1, 2)[:, indices].transpose(0, 1).flatten(1)


def check_progress(ours: Small, plain: Small) -> None:
    """Check what has no rounding: how far each row is."""
    for name in ("positions", "frames", "running"):
        if not torch.equal(ours[name], plain[name]):
            raise Differs(f"{name} is {ours[name].tolist()} instead of {plain[name].tolist()}")


def check_errors(what: str, errors: Sequence[float], tolerance: float) -> None:
    """Check how far rows are from their references."""
    for error in errors:
        if not error <= tolerance:  # NaN is not, either
            raise Differs(f"{what} are off by {error:.2g} of their size, more than {tolerance}")


def errors_of(ours: Tensor, plain: Tensor, rows: Sequence[int]) -> list[float]:
    """Return each row's distance from its reference, relative to that; NaN if one is not finite."""
    mine, theirs = ours[list(rows)].float(), plain[list(rows)].float()
    errors: list[float] = ((mine - theirs).norm(dim=-1) / theirs.norm(dim=-1)).tolist()
    return errors
