"""What fused kernels are told of parts of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.prefill.spans import load, runs_of
from qwen_tts_api.model.prompt import GIVEN, NONE, TalkerPrompt

HEARD = TalkerPrompt(
    [10, 11, 12, 13, 14], [NONE, GIVEN, 7, GIVEN, GIVEN], torch.ones(3, 1).cumsum(0)
)
TEXT = TalkerPrompt([20, 21, 22], [NONE, 8, 9])


def test_prompts_are_cut_anywhere_and_what_is_given_goes_with_them() -> None:
    """A known beginning is left out; padding belongs to no slot's prompt."""
    runs: list[tuple[list[list[int]], list[list[int]], list[float]]] = []

    class Kernels:
        def load(self, tokens: Tensor, ends: Tensor, given: Sequence[Tensor]) -> None:
            rows = [number for each in given for number in each.flatten().tolist()]
            runs.append((tokens.tolist(), ends.tolist(), rows))

    kernels: Any = Kernels()
    for spans in runs_of([(2, HEARD), (0, TEXT)], [2, 0], 4):
        load(kernels, spans, 5, 3, torch.device("cpu"))
    assert runs == [
        (
            [
                [2, 2, 2, 0, 0],
                [2, 3, 4, 0, -1],
                [12, 13, 14, 20, 0],
                [7, GIVEN, GIVEN, NONE, NONE],
                [NONE, 0, 1, NONE, NONE],
            ],
            [[0, 0, 2], [0, 0, 5]],
            [2.0, 3.0],
        ),
        (
            [
                [0, 0, 0, 0, 0],
                [1, 2, -1, -1, -1],
                [21, 22, 0, 0, 0],
                [8, 9, NONE, NONE, NONE],
                [NONE] * 5,
            ],
            [[1, 0, 0], [3, 0, 0]],
            [],
        ),
    ]
