"""Products of a few rows with a weight matrix: each reads the whole matrix once, which is its cost.

A program makes a tile of the output. Weights are `[in, out]` tensors with any strides; where they
are transposed views of `[out, in]`, as on a GPU, a program reads whole rows of memory. Sums are
float32, in steps of `Tile.inner`, and rounded once.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.kernels.steps import (
    add_product,
    inverse_rms,
    load,
    load_transposed,
    step,
    sum_parts,
    transpose,
    zeros,
)
from qwen_tts_api.model.kernels.tiles import Tile


def norm_product(
    x: Tensor,
    norm: Tensor,
    eps: float,
    matrix: Tensor,
    out: Tensor,
    num_rows: int,
    tile: Tile,
    *,
    gated: bool = False,
    indices: Tensor | None = None,
    hidden: Tensor | None = None,
) -> None:
    """RMSNorm of rows, then their product with a matrix.

    Reference: `layers.rms_norm(x, norm, eps).mm(matrix)`; gated: `gate, up = (...).chunk(2, -1)`,
    `silu(gate) * up`. Rounded after the norm, after its weight, after the product and after SiLU.
    Reads `matrix` once for every `tile.rows` rows.

    Args:
        x: `[_, D]`.
        norm: `[D]`, the norm's weight.
        eps: Of the norm.
        matrix: `[D, OUT]`; gated: `[D, 2 * OUT]`, the gate's columns first.
        out: `[>= num_rows, OUT]`, in the dtype of `x` or wider; written.
        num_rows: Of the output.
        tile: Of the output.
        gated: As above.
        indices: `[num_rows]` int64: which row of `x` is read for each; None: the same.
        hidden: `[>= num_rows, D]`: the rows after the norm; written if it is not None.
    """
    tile = tile.for_rows(num_rows)
    width, columns = matrix.shape[0], matrix.shape[1] // (1 + gated)
    _norm_product_kernel[tile.grid(num_rows, columns)](
        x,
        norm,
        matrix,
        out,
        indices,
        hidden,
        num_rows,
        eps,
        matrix.stride(0),
        matrix.stride(1),
        WIDTH=width,
        OUT=columns,
        GATED=gated,
        PARTS=tile.parts,
        **tile.options(),
    )


def product_add(a: Tensor, matrix: Tensor, x: Tensor, num_rows: int, tile: Tile) -> None:
    """Add the product of rows with a matrix to the residual stream, in place.

    Reference: `x + a.mm(matrix)`, rounded after the product and after the sum. Reads `matrix` once
    for every `tile.rows` rows.

    Args:
        a: `[>= num_rows, IN]`.
        matrix: `[IN, D]`.
        x: `[>= num_rows, D]`, updated.
        num_rows: How many.
        tile: Of `x`.
    """
    _launch_product(a, matrix, None, x, num_rows, tile)


def linear(
    a: Tensor,
    matrix: Tensor,
    bias: Tensor,
    out: Tensor,
    num_rows: int,
    tile: Tile,
    *,
    step: int = 1,
    indices: Tensor | None = None,
    silu: bool = False,
) -> None:
    """Write a linear layer's output to every `step`-th row of `out`, from the first.

    Reference: `out[::step] = functional.linear(a, matrix.t(), bias)`, rounded once, and once more
    after SiLU.

    Args:
        a: `[_, IN]`.
        matrix: `[IN, OUT]`.
        bias: `[OUT]`.
        out: `[>= num_rows * step, OUT]`.
        num_rows: How many.
        tile: Of the output.
        step: In rows.
        indices: `[num_rows]` int64: which row of `a` is read for each; None: the same.
        silu: Whether SiLU follows.
    """
    _launch_product(a, matrix, bias, out, num_rows, tile, step=step, indices=indices, silu=silu)


def _launch_product(
    a: Tensor,
    matrix: Tensor,
    bias: Tensor | None,
    out: Tensor,
    num_rows: int,
    tile: Tile,
    *,
    step: int = 1,
    indices: Tensor | None = None,
    silu: bool = False,
) -> None:
    tile = tile.for_rows(num_rows)
    width, columns = matrix.shape
    _product_kernel[tile.grid(num_rows, columns)](
        a,
        matrix,
        bias,
        out,
        indices,
        num_rows,
        matrix.stride(0),
        matrix.stride(1),
        STEP=step,
        SILU=silu,
        WIDTH=width,
        OUT=columns,
        PARTS=tile.parts,
        **tile.options(),
    )


@triton.jit
def _silu(x):
    """Compute in float32, and round to the dtype of `x`."""
    value = x.to(tl.float32)
    return (value / (1.0 + tl.exp(-value))).to(x.dtype)


@triton.jit(do_not_specialize=["num_rows"])  # one code for all, to the bit
def _norm_product_kernel(
    x,
    norm,
    matrix,
    out,
    indices,
    hidden,
    num_rows,
    eps,
    stride_in,
    stride_out,
    WIDTH: tl.constexpr,
    OUT: tl.constexpr,
    GATED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    PARTS: tl.constexpr,
):
    """One tile of `norm_product`."""
    PART: tl.constexpr = (WIDTH + PARTS - 1) // PARTS
    dtype = norm.dtype.element_ty
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    is_row, is_col = rows < num_rows, cols < OUT
    sources = rows
    if indices is not None:
        sources = tl.load(indices + rows, is_row, 0)
    source, weights = x + sources * WIDTH, matrix + cols * stride_out
    scale = inverse_rms(source, is_row, eps, WIDTH, ROWS, PARTS * INNER)
    product = zeros(ROWS, COLUMNS, PARTS)
    up = zeros(ROWS, COLUMNS, PARTS)
    # The norm's weight is loaded for each row, so that nothing is moved between threads, and a
    # step ahead.
    norms = norm + tl.zeros_like(rows)
    inner, is_inner = step(0, WIDTH, INNER, PARTS)
    weight = load(norms, is_row, inner, is_inner)
    for start in range(0, PART, INNER):
        inner, is_inner = step(start + INNER, WIDTH, INNER, PARTS)
        next_weight = load(norms, is_row, inner, is_inner)
        inner, is_inner = step(start, WIDTH, INNER, PARTS)
        value = load(source, is_row, inner, is_inner).to(tl.float32)
        normed = (weight * (value * scale[:, None]).to(dtype)).to(dtype)
        product = add_product(product, normed, weights, is_col, inner * stride_in, is_inner)
        if GATED:
            right = weights + OUT * stride_out
            up = add_product(up, normed, right, is_col, inner * stride_in, is_inner)
        if hidden is not None:  # noqa: SIM102  (a constant, then a number)
            if tl.program_id(1) == 0:
                target = (hidden + rows * WIDTH)[:, None] + tl.expand_dims(inner, -2)
                tl.store(target, normed, is_row[:, None] & tl.expand_dims(is_inner, -2))
        weight = next_weight
    result = sum_parts(product).to(dtype)
    if GATED:
        result = (_silu(result) * sum_parts(up).to(dtype)).to(dtype)
    target = out + rows[:, None] * OUT + cols[None, :]
    tl.store(target, result.to(out.dtype.element_ty), is_row[:, None] & is_col[None, :])


@triton.jit(do_not_specialize=["num_rows"])  # one code for all, to the bit
def _product_kernel(
    a,
    matrix,
    bias,
    out,
    indices,
    num_rows,
    stride_in,
    stride_out,
    STEP: tl.constexpr,
    SILU: tl.constexpr,
    WIDTH: tl.constexpr,
    OUT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INNER: tl.constexpr,
    PARTS: tl.constexpr,
):
    """One tile of `linear`, or of `product_add` where `bias` is None."""
    PART: tl.constexpr = (WIDTH + PARTS - 1) // PARTS
    dtype = out.dtype.element_ty
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    is_row, is_col = rows < num_rows, cols < OUT
    sources = rows
    if indices is not None:
        sources = tl.load(indices + rows, is_row, 0)
    source, weights = a + sources * WIDTH, matrix + cols * stride_out
    total = zeros(ROWS, COLUMNS, PARTS)
    for start in range(0, PART, INNER):
        inner, is_inner = step(start, WIDTH, INNER, PARTS)
        if PARTS == 1:
            value = load(source, is_row, inner, is_inner)
        else:  # in this order the compiler keeps it in shared memory without bank conflicts
            value = transpose(load_transposed(source, is_row, inner, is_inner))
        total = add_product(total, value, weights, is_col, inner * stride_in, is_inner)
    product = sum_parts(total)
    target = out + rows[:, None] * (STEP * OUT) + cols[None, :]
    mask = is_row[:, None] & is_col[None, :]
    if bias is None:
        added = tl.load(target, mask, 0.0).to(tl.float32)
        product = product.to(dtype).to(tl.float32)
    else:
        added = tl.load(bias + cols, is_col, 0.0).to(tl.float32)[None, :]
    result = (product + added).to(dtype)
    if SILU:
        result = _silu(result)
    tl.store(target, result, mask)
