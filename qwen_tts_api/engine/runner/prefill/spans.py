"""Parts of prompts that are computed in one run, as arguments of the fused kernels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.kernels.paths import PrefillKernels
from qwen_tts_api.model.prompt import GIVEN, NONE, TalkerPrompt
from qwen_tts_api.model.weights.placement import to_device

_PADDING = (0, -1, 0, NONE, NONE)
"""Slot, position, text token, codec id and row of what is given of a token that is nobody's."""


class Span(NamedTuple):
    """Some positions of one prompt, from `start` to before `end`."""

    slot: int
    prompt: TalkerPrompt
    start: int
    end: int

    @property
    def is_last(self) -> bool:
        """Whether the prompt ends with them."""
        return self.end == self.prompt.num_positions

    def given(self) -> list[Tensor]:
        """Return what is added to their text, as `TalkerPrompt.given`."""
        if self.prompt.given is None:
            return []
        first, end = (self.prompt.codes[:place].count(GIVEN) for place in (self.start, self.end))
        return [self.prompt.given[first:end]] if end > first else []


def runs_of(
    prompts: Sequence[tuple[int, TalkerPrompt]], starts: Sequence[int], max_tokens: int
) -> Iterator[list[Span]]:
    """Divide prompts into runs of at most `max_tokens`, wherever that cuts them.

    Args:
        prompts: Slots and their prompts.
        starts: Where in each what is left of it begins.
        max_tokens: Of a run.
    """
    spans: list[Span] = []
    room = max_tokens
    for (slot, prompt), start in zip(prompts, starts, strict=True):
        while start < prompt.num_positions:
            end = min(prompt.num_positions, start + room)
            spans.append(Span(slot, prompt, start, end))
            room -= end - start
            start = end
            if not room:
                yield spans
                spans, room = [], max_tokens
    if spans:
        yield spans


def load(
    kernels: PrefillKernels,
    spans: Sequence[Span],
    num_tokens: int,
    num_slots: int,
    device: torch.device,
) -> None:
    """Copy the arguments of the next run to the device, in one asynchronous copy.

    Args:
        kernels: What runs.
        spans: In the order of their positions.
        num_tokens: Of the run; what the spans leave of them is padding.
        num_slots: How many there are.
        device: The kernels'.
    """
    numbers: list[int] = []
    for row, padding in zip(_rows_of(spans), _PADDING, strict=True):
        numbers += row
        numbers += [padding] * (num_tokens - len(row))
    last, lengths = [0] * num_slots, [0] * num_slots
    end = 0
    for span in spans:
        end += span.end - span.start
        if span.is_last:
            last[span.slot], lengths[span.slot] = end - 1, span.end
    sent = to_device([*numbers, *last, *lengths], device)
    tokens, ends = sent.split([len(numbers), 2 * num_slots])
    given = [rows for span in spans for rows in span.given()]
    kernels.load(tokens.view(len(_PADDING), num_tokens), ends.view(2, num_slots), given)


def _rows_of(spans: Sequence[Span]) -> tuple[list[int], ...]:
    """Return the rows of the tokens of `PrefillKernels.load`, without padding."""
    rows: tuple[list[int], ...] = tuple([] for _ in _PADDING)
    slots, positions, text, codes, given = rows
    num_given = itertools.count()
    for span in spans:
        where = slice(span.start, span.end)
        slots += [span.slot] * (span.end - span.start)
        positions += range(span.start, span.end)
        text += span.prompt.text[where]
        codes += span.prompt.codes[where]
        given += [next(num_given) if code == GIVEN else NONE for code in span.prompt.codes[where]]
    return rows
