"""A depthwise convolution and its LayerNorm, against the plain operators."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from qwen_tts_api.model.kernels.codec.depthwise import depthwise_norm
from qwen_tts_api.model.kernels.codec.past import Past
from tests.model.kernels.codec.conftest import normal


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 1e-2)], ids=str
)
def test_outputs_and_state(dtype: torch.dtype, tolerance: float) -> None:
    """A chunk shorter than the past, of channels that are no power of two."""
    weight, bias = normal(11, 1, 4, dtype=dtype), normal(11, dtype=dtype)
    norm = (normal(11, dtype=dtype, seed=1), normal(11, dtype=dtype, seed=2))
    slots, state = torch.tensor([2, 0]), normal(3, 11, 3, dtype=dtype)
    x = normal(2, 11, 2, dtype=dtype, seed=4)
    extended = torch.cat((state[slots], x), -1)
    expected_state = state.clone()
    expected_state[slots] = extended[..., 2:]
    past = Past(state[slots].transpose(1, 2).contiguous(), state.view(3, -1), slots)
    inputs = x.transpose(1, 2).contiguous()
    out = depthwise_norm(inputs, weight[:, 0].t().contiguous(), bias, norm, 1e-6, past)
    y = functional.conv1d(extended, weight, bias, groups=11).transpose(1, 2)
    expected = functional.layer_norm(y, (11,), *norm, 1e-6)
    torch.testing.assert_close(out, expected, atol=tolerance, rtol=tolerance)
    assert torch.equal(state, expected_state)
