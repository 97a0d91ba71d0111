"""Frames by fused kernels: the codes of the plain path, which are upstream's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.kernels.comparison import frame, rows
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.kernels.frame import FusedFrame
from qwen_tts_api.model.kernels.tiles import Tiles
from qwen_tts_api.model.prompt import SPEECH_TEMPLATE
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.talker_cache import CacheSize
from tests.model.conftest import odd_case
from tests.model.generation import GREEDY, SAMPLED, Case, Checkpoint, FramesBy, Request, our_codes
from tests.model.kernels.models import TILES, cut

CPU = torch.device("cpu")
NUCLEUS = replace(SAMPLED, top_p=0.8, subtalker_top_p=0.7)
EVERYTHING = TopKTopP(max_top_k=None, top_p=True)


def fused(tiles: Tiles = TILES) -> FramesBy:
    """Return what `our_codes` makes frames by."""

    def make(model: SpeechModel, state: FrameState) -> Callable[[int], None]:
        return FusedFrame(model, state, tiles).advance

    return make


def assert_plain(checkpoint: Checkpoint, requests: list[Request], num_slots: int) -> None:
    """Both paths give the same codes."""
    plain, ours = (
        our_codes(
            checkpoint,
            requests,
            num_slots=num_slots,
            top_k_top_p=EVERYTHING,
            page_positions=4,
            frames_by=frames_by,
        )
        for frames_by in (None, fused())
    )
    assert [codes.tolist() for codes in ours] == [codes.tolist() for codes in plain]


def test_a_greedy_and_a_seeded_request_that_waits(odd: Checkpoint) -> None:
    """What waits for a frame goes on as if it had not."""
    checkpoint = cut(odd, torch.float32)
    requests = [
        Request(
            checkpoint.prompt(odd_case(3), False),
            slot=1,
            sampling=replace(NUCLEUS, seed=5),
            waits_at=frozenset({1}),
            max_new_tokens=3,
        ),
        Request(checkpoint.prompt(odd_case(7), False), slot=0, joins_at=1, max_new_tokens=3),
    ]
    assert_plain(checkpoint, requests, 2)


def test_a_start_finds_no_difference(odd: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in numbers, nor in draws by the same scores."""
    monkeypatch.setattr(rows, "LENGTHS", (9, 5, 2, 1))
    monkeypatch.setattr(rows, "POSITIONS", 64)
    monkeypatch.setattr(frame, "POSITIONS", 64)
    monkeypatch.setattr(frame, "PAUSED", (2,))
    monkeypatch.setattr(frame, "BATCHES", (4,))
    model = cut(odd, torch.float32).speech
    frame.compare_frame(model, lambda model, state: FusedFrame(model, state, TILES))


@pytest.mark.slow
def test_company_slot_and_pages_change_no_bit(odd: Checkpoint) -> None:
    """In 16 bits, where rounding would: the codes of a seeded request, alone and among others."""
    checkpoint = cut(odd, torch.float16)
    own, others = (checkpoint.prompt(odd_case(length), False) for length in (3, 6))
    request = Request(own, slot=0, sampling=replace(SAMPLED, seed=3), max_new_tokens=3)

    def codes(requests: list[Request], num_slots: int, pages: Tensor | None = None) -> Tensor:
        return our_codes(checkpoint, requests, num_slots=num_slots, pages=pages, frames_by=fused())[
            0
        ]

    alone = codes([request], 1)
    company = replace(request, prompt=others, joins_at=1)
    pages = torch.tensor([[5, 2], [1, 4]])
    assert codes([replace(request, slot=1), company], 2, pages).tolist() == alone.tolist()


@pytest.mark.slow
def test_the_odd_checkpoint(odd: Checkpoint) -> None:
    """Whole: heads of 24 numbers, no projection; two requests, of two frames each."""
    requests = [
        Request(
            odd.prompt(odd_case(3 + 4 * slot), False),
            slot=slot,
            sampling=sampling,
            max_new_tokens=3,
        )
        for slot, sampling in enumerate([GREEDY, NUCLEUS])
    ]
    assert_plain(odd, requests, 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # numpy's; SiLU is right there
def test_nano(nano: Checkpoint, say: Any) -> None:
    """Sixteen codes a frame, and a projection between the models."""
    prompt = nano.prompt(Case(say(SPEECH_TEMPLATE, "Hi there."), "english", "ryan"), False)
    requests = [
        Request(prompt, slot=slot, sampling=sampling, max_new_tokens=2)
        for slot, sampling in enumerate([GREEDY, NUCLEUS])
    ]
    assert_plain(nano, requests, 2)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "launches"), [("1.7b", 584), ("0.6b", 583)])
def test_launches_of_a_frame(
    interpreter: Any,
    monkeypatch: pytest.MonkeyPatch,
    nano_cache: Path,
    size: str,
    launches: int,
) -> None:
    """As the class's docstring counts them, and it does not synchronise: nothing has numbers."""
    counts: Counter[str] = Counter()

    def count(kernel: Any, *args: object, **kwargs: object) -> None:
        counts[kernel.__name__] += 1

    monkeypatch.setattr(interpreter.InterpretedFunction, "run", count)
    speech = empty_model(size, locate("nano", nano_cache)).speech
    state = FrameState.allocate(speech, CacheSize.whole(2, 1024), max_text_embeddings=8)
    FusedFrame(speech, state).advance(2)
    assert counts.total() == launches
    assert counts["_sample_code_kernel"] == 15
