"""The copy of the state that a chunk's launches read."""

from __future__ import annotations

import torch

from qwen_tts_api.model.codec.decoder import CodecState
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.kernels.codec.past import ChunkState, copy_order
from tests.model.kernels.codec.conftest import normal


def test_each_stage_finds_its_own_state(tiny: CodecWeights) -> None:
    """Of the rows' slots, with a step's channels next to each other."""
    state = CodecState.allocate(tiny, 4)
    state.past.copy_(normal(*state.past.shape))
    slots, start = torch.tensor([2, 0]), 0
    chunk = ChunkState(state, slots, copy_order(tiny))
    for stage in tiny.streaming_stages():
        channels, history = stage.past_shape
        past = chunk.take(channels, history)
        own = state.past[:, start : start + channels * history].view(4, channels, history)
        assert torch.equal(past.before, own[slots].transpose(1, 2))
        assert torch.equal(past.after, own.flatten(1))
        start += channels * history
    assert start == state.past.shape[1]
