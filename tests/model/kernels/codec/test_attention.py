"""Attention to a sliding window, against the plain decoder's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from qwen_tts_api.model.codec.decoder import _sliding_attention, _window_mask
from qwen_tts_api.model.codec.weights import CodecTransformer, CodecWeights
from qwen_tts_api.model.kernels.codec.attention import attend_window, rotate_heads
from qwen_tts_api.model.kernels.codec.past import Past
from qwen_tts_api.model.layers import rope_tables
from tests.model.kernels.codec.conftest import normal

FRAMES = (0, 3, 7000)
"""Before the chunk: none, fewer than the window has, more."""


def transformer_of(tiny: CodecWeights) -> CodecTransformer:
    """Return a transformer whose window is longer than a block, with two query heads a key head."""
    return replace(tiny.transformer, window=19)


@pytest.mark.parametrize(
    ("steps", "dtype", "tolerance"),
    [(3, torch.float32, 1e-5), (1, torch.float16, 4e-3)],
    ids=str,
)
def test_attention_and_state(
    tiny: CodecWeights, steps: int, dtype: torch.dtype, tolerance: float
) -> None:
    """Of rows at different positions; keys before the first are not seen, whatever is there."""
    weights = transformer_of(tiny)
    num_heads, dim = weights.num_heads + 2 * weights.num_kv, weights.head_dim
    qkv = normal(3, steps, num_heads * dim, dtype=dtype)
    state = normal(4, 18, 2 * weights.num_kv, dim, dtype=dtype)
    slots, frames = torch.tensor([3, 0, 1]), torch.tensor(FRAMES)
    plain_state = state.clone()

    before = plain_state[slots]
    positions = frames.unsqueeze(-1) + torch.arange(steps)
    expected = _sliding_attention(
        qkv.clone().unflatten(2, (num_heads, dim)),
        weights,
        rope_tables(weights.inv_freq, positions, dtype),
        before,
        _window_mask(frames, steps, weights.window, dtype),
    )
    plain_state[slots] = before

    query, key_value = rotate_heads(qkv, frames, weights)
    past = Past(state[slots].flatten(2), state, slots)
    mixed = attend_window(query, key_value, frames, past, weights)
    torch.testing.assert_close(mixed, expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(state, plain_state, atol=tolerance, rtol=tolerance)
    assert torch.equal(state[2], plain_state[2])
