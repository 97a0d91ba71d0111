"""Products of rows with a matrix: as PyTorch has them, however rows and sums are divided."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from qwen_tts_api.model.kernels.products import linear, norm_product, product_add
from qwen_tts_api.model.kernels.tiles import Tile
from qwen_tts_api.model.layers import rms_norm
from tests.model.kernels.models import ROUNDING

WHOLE = Tile(rows=16, columns=32, inner=16)
PARTS = Tile(
    rows=16,
    columns=32,
    inner=16,
    parts=4,
    more=Tile(rows=32, columns=16, inner=16, parts=4),
)
TILES = {"whole rows": WHOLE, "parts of rows": PARTS}
EPS = 1e-6
ODD = 90
"""A width that no step divides, and no number of parts."""


def normal(*shape: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def matrix_of(width: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Return a matrix as a GPU has them."""
    rows = normal(columns, width, dtype=torch.float32, seed=1)
    return rows.mul(width**-0.5).to(dtype).t()


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("num_rows", [3, 20])
@pytest.mark.parametrize("tile", TILES.values(), ids=TILES)
def test_products_after_a_norm(tile: Tile, num_rows: int, dtype: torch.dtype) -> None:
    """Of chosen rows, with the rows after the norm; and gated. Nothing else is written."""
    x, norm = normal(24, ODD, dtype=dtype), 1 + 0.3 * normal(ODD, dtype=dtype, seed=2)
    matrix, indices = matrix_of(ODD, 40, dtype), torch.arange(num_rows).flip(0)
    out, hidden = torch.full((24, 40), 7.0), torch.full_like(x, 7)
    norm_product(x, norm, EPS, matrix, out, num_rows, tile, indices=indices, hidden=hidden)
    normed = rms_norm(x[indices], norm, EPS)
    close(hidden[:num_rows], normed, dtype)
    close(out[:num_rows], normed.mm(matrix).float(), dtype)
    assert (out[num_rows:] == 7).all()
    assert (hidden[num_rows:] == 7).all()

    gated = x.new_full((24, 20), 7)
    norm_product(x, norm, EPS, matrix, gated, num_rows, tile, gated=True)
    gate, up = rms_norm(x[:num_rows], norm, EPS).mm(matrix).chunk(2, -1)
    close(gated[:num_rows], functional.silu(gate) * up, dtype)
    assert (gated[num_rows:] == 7).all()


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("num_rows", [3, 20])
@pytest.mark.parametrize("tile", TILES.values(), ids=TILES)
def test_products_that_are_added_and_linear_layers(
    tile: Tile, num_rows: int, dtype: torch.dtype
) -> None:
    a, matrix = normal(24, ODD, dtype=dtype), matrix_of(ODD, 40, dtype)
    x = normal(24, 40, dtype=dtype, seed=3)
    sums = x.clone()
    product_add(a, matrix, sums, num_rows, tile)
    close(sums[:num_rows], x[:num_rows] + a[:num_rows].mm(matrix), dtype)
    assert torch.equal(sums[num_rows:], x[num_rows:])

    bias, out = normal(40, dtype=dtype, seed=4), x.new_full((48, 40), 7)
    linear(a, matrix, bias, out, num_rows, tile, step=2)
    close(out[: 2 * num_rows : 2], functional.linear(a[:num_rows], matrix.t(), bias), dtype)
    assert (out[1::2] == 7).all()


def close(ours: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    atol = 2 * ROUNDING[dtype]
    torch.testing.assert_close(ours, expected, rtol=atol, atol=atol, check_dtype=False)
