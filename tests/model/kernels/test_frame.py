"""Frames by fused kernels: the codes of the plain path, which are upstream's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.kernels.frame import FusedFrame
from qwen_tts_api.model.kernels.tiles import AttentionTile, Tile, Tiles
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.utterance import SamplingParams
from tests.model.conftest import odd_case
from tests.model.generation import GREEDY, SAMPLED, Checkpoint, Request, our_codes

ODD_TILES = Tiles(
    wide=Tile(rows=16, columns=256, inner=64),
    narrow=Tile(rows=16, columns=64, inner=256),
    attention=AttentionTile(split=8, programs=2, block=8),
)
"""As large as the odd checkpoint's layers: the interpreter takes as long for a small tile."""

NUCLEUS = replace(SAMPLED, top_p=0.8, subtalker_top_p=0.7)


def fused(tiles: Tiles) -> Any:
    """Return what `our_codes` makes frames by."""

    def make(model: SpeechModel, state: FrameState) -> Any:
        return FusedFrame(model, state, tiles).advance

    return make


def requests_for(odd: Checkpoint, samplings: list[SamplingParams]) -> list[Request]:
    """Return requests of two frames, the first in the last slot."""
    return [
        Request(
            odd.prompt(odd_case(3 + 4 * index), False),
            slot=len(samplings) - 1 - index,
            sampling=replace(sampling, seed=5 + index),
            max_new_tokens=3,
        )
        for index, sampling in enumerate(samplings)
    ]


def test_a_greedy_and_a_seeded_request_in_company(odd: Checkpoint) -> None:
    """Each has the codes of the plain path."""
    requests = requests_for(odd, [GREEDY, NUCLEUS])
    everything = TopKTopP(max_top_k=None, top_p=True)
    plain, ours = (
        our_codes(odd, requests, num_slots=2, top_k_top_p=everything, frames_by=frames_by)
        for frames_by in (None, fused(ODD_TILES))
    )
    assert [codes.tolist() for codes in ours] == [codes.tolist() for codes in plain]
