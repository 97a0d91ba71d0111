"""A convolution with all that is done to its outputs, against the plain operators."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.codec.decoder import _snake
from qwen_tts_api.model.codec.weights import Convolution, Snake, Upsampling
from qwen_tts_api.model.kernels.codec.convolution import Filter, Wave, convolve
from qwen_tts_api.model.kernels.codec.past import Past
from qwen_tts_api.model.kernels.tiles import Tile
from tests.model.kernels.codec.conftest import normal
from tests.rows import for_each

TILE = Tile(rows=16, columns=16, inner=16)
TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3}


@dataclass(frozen=True)
class Case:
    """A layer and a chunk of it."""

    layer: Convolution | Upsampling
    rows: int
    steps: int


def conv(out: int, into: int, taps: int, dilation: int = 1) -> Convolution:
    """Return a convolution of random weights."""
    weight = normal(out, into, taps) / (into * taps) ** 0.5
    return Convolution(weight, normal(out, seed=1), dilation)


def upsampling(out: int, into: int, kernel: int, stride: int) -> Upsampling:
    """Return a transposed convolution of random weights."""
    return Upsampling(normal(into, out, kernel) / into**0.5, normal(out, seed=1), stride)


CASES = {
    "one tap": Case(conv(18, 5, 1), 3, 7),
    "past longer than the chunk": Case(conv(5, 18, 7, dilation=3), 3, 5),
    "past shorter than the chunk": Case(conv(17, 9, 3), 5, 4),
    "a step": Case(conv(4, 4, 3), 1, 1),
    "kernel of a stride": Case(upsampling(6, 5, 2, 2), 2, 3),
    "kernel of two strides": Case(upsampling(3, 5, 6, 3), 3, 4),
    "kernel between them": Case(upsampling(3, 5, 5, 3), 1, 2),
}


def plain(layer: Convolution | Upsampling, extended: Tensor, steps: int) -> Tensor:
    """Return the outputs of the chunk `[B, out, T]`, of its inputs with those before it."""
    if isinstance(layer, Convolution):
        return functional.conv1d(extended, layer.weight, layer.bias, dilation=layer.dilation)
    out = functional.conv_transpose1d(extended, layer.weight, layer.bias, stride=layer.stride)
    return out.narrow(-1, layer.past_shape[1] * layer.stride, steps * layer.stride)


@for_each("case", CASES.values())
def test_outputs_and_state(case: Case) -> None:
    """Of rows in any slots; what else there is stays as it was."""
    channels, history = case.layer.past_shape
    slots = torch.tensor([5, 0, 3, 1, 2][: case.rows])
    state = normal(6, channels, history)
    x = normal(case.rows, channels, case.steps, seed=2)
    extended = torch.cat((state[slots], x), -1)
    expected_state = state.clone()
    expected_state[slots] = extended[..., case.steps :]
    past = Past(state[slots].transpose(1, 2).contiguous(), state.view(6, -1), slots)
    out = convolve(x.transpose(1, 2).contiguous(), Filter.of(case.layer), TILE, past)
    expected = plain(case.layer, extended, case.steps).transpose(1, 2)
    torch.testing.assert_close(out.reshape_as(expected), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(state, expected_state)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_all_that_is_done_to_outputs(dtype: torch.dtype) -> None:
    """GELU, the scale, the residual, Snake, in this order; the sum is kept in place."""
    weight, bias, scale = normal(20, 9, dtype=dtype) / 3, normal(20, dtype=dtype), normal(20)
    x, residual = normal(3, 6, 9, dtype=dtype), normal(3, 6, 20, dtype=dtype)
    snake = Snake(normal(20, 1).exp().to(dtype), normal(20, 1, seed=1).exp().to(dtype))
    stream = functional.gelu(functional.linear(x, weight, bias)) * scale.to(dtype) + residual
    expected = _snake(stream.transpose(1, 2), snake).transpose(1, 2)
    out = convolve(
        x,
        Filter.linear(weight, bias),
        TILE,
        gelu=True,
        scale=scale.to(dtype),
        residual=residual,
        kept=residual,
        wave=Wave.of(snake),
    )
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(residual, stream, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(out, expected, atol=10 * tolerance, rtol=10 * tolerance)


def test_snake_of_large_arguments() -> None:
    """Its sine is our own: right up to 10,000, and a sine beyond it."""
    angles = torch.cat((torch.linspace(-10_000, 10_000, 333), torch.tensor([0.0, 1e6, -1e12])))
    wave = Wave(angles, torch.ones_like(angles))
    out = convolve(torch.ones(1, 1, 1), Filter.linear(torch.ones(336, 1)), TILE, wave=wave)
    squares = out[0, 0].double() - 1
    torch.testing.assert_close(squares[:334], angles[:334].double().sin() ** 2, atol=1e-6, rtol=0)
    assert squares.max() <= 1


def test_samples_are_clamped_and_rounded_once() -> None:
    """To int16, of sums in float32 whatever the dtype: not of rounded ones."""
    x = torch.tensor([[[2.0], [-2.0], [1.0], [0.3], [-0.3]]], dtype=torch.float16)
    factor = torch.tensor([[1.001]], dtype=torch.float16)
    out = convolve(x, Filter.linear(factor), TILE, pcm=True)
    exact = (x.double() * factor.double()).clamp(-1, 1) * 32767
    assert out.dtype is torch.int16
    assert out.tolist() == exact.round().to(torch.int16).tolist()
    assert out[0, 3, 0] != round(float(x[0, 3, 0] * factor[0, 0]) * 32767)
