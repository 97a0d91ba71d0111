"""Products of a few rows with a weight matrix: each reads the whole matrix once, which is its cost.

A program makes a tile of the output. Weights are `[in, out]` tensors with any strides; where they
are transposed views of `[out, in]`, as on a GPU, a program reads whole rows of memory. Sums are
float32, in steps of `Tile.inner`, and rounded once.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

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
        **tile.options(),
    )


@triton.jit
def _product(a, matrix, cols, inner, stride_in, stride_out, WIDTH: tl.constexpr, OUT: tl.constexpr):
    """Multiply `a` `[ROWS, INNER]` with the tile of `matrix` at `inner` and `cols`."""
    mask = (inner < WIDTH)[:, None] & (cols < OUT)[None, :]
    tile = tl.load(matrix + inner[:, None] * stride_in + cols[None, :] * stride_out, mask, 0.0)
    return tl.dot(a, tile, input_precision="ieee")


@triton.jit
def _columns(source, row_mask, inner, WIDTH: tl.constexpr):
    """Load columns `inner` of rows; `source` `[ROWS, 1]` points to them."""
    mask = row_mask[:, None] & (inner < WIDTH)[None, :]
    return tl.load(source + inner[None, :], mask, 0.0)


@triton.jit
def _silu(x):
    """Compute in float32, and round to the dtype of `x`."""
    value = x.to(tl.float32)
    return (value / (1.0 + tl.exp(-value))).to(x.dtype)


@triton.jit
def _inverse_rms(
    source, row_mask, eps, WIDTH: tl.constexpr, ROWS: tl.constexpr, INNER: tl.constexpr
):
    """Return 1 / root mean square of rows, `[ROWS]`; `source` `[ROWS, 1]` points to them.

    Unrolled, and summed over a row at the end: so that no load waits for the one before.
    """
    square = tl.zeros([ROWS, INNER], tl.float32)
    for start in tl.static_range(0, WIDTH, INNER):
        inner = start + tl.arange(0, INNER)
        value = _columns(source, row_mask, inner, WIDTH).to(tl.float32)
        square = tl.fma(value, value, square)
    return tl.rsqrt(tl.sum(square, 1) / WIDTH + eps)


@triton.jit
def _norm_weight(norms, start, WIDTH: tl.constexpr, INNER: tl.constexpr):
    """Load a step of the norm's weight for each row: `[ROWS, INNER]`."""
    inner = start + tl.arange(0, INNER)
    mask = (inner < WIDTH)[None, :]
    return tl.load(norms + inner[None, :], mask, 0.0)


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
):
    """One tile of `norm_product`."""
    dtype = norm.dtype.element_ty
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    row_mask = rows < num_rows
    sources = rows
    if indices is not None:
        sources = tl.load(indices + rows, row_mask, 0)
    source = x + sources[:, None] * WIDTH
    scale = _inverse_rms(source, row_mask, eps, WIDTH, ROWS, INNER)
    product = tl.zeros([ROWS, COLUMNS], tl.float32)
    up = tl.zeros([ROWS, COLUMNS], tl.float32)
    # A row of it for each row, so that nothing is moved between threads; one step ahead.
    norms = norm + tl.zeros([ROWS, INNER], tl.int32)
    weight = _norm_weight(norms, 0, WIDTH, INNER)
    for start in range(0, WIDTH, INNER):
        inner = start + tl.arange(0, INNER)
        value = _columns(source, row_mask, inner, WIDTH).to(tl.float32)
        normed = (weight * (value * scale[:, None]).to(dtype)).to(dtype)
        weight = _norm_weight(norms, start + INNER, WIDTH, INNER)
        product += _product(normed, matrix, cols, inner, stride_in, stride_out, WIDTH, OUT)
        if GATED:
            right = matrix + OUT * stride_out
            up += _product(normed, right, cols, inner, stride_in, stride_out, WIDTH, OUT)
        if hidden is not None:  # noqa: SIM102  (a constant, then a number)
            if tl.program_id(1) == 0:
                mask = row_mask[:, None] & (inner < WIDTH)[None, :]
                tl.store(hidden + rows[:, None] * WIDTH + inner[None, :], normed, mask)
    result = product.to(dtype)
    if GATED:
        result = (_silu(result) * up.to(dtype)).to(dtype)
    target = out + rows[:, None] * OUT + cols[None, :]
    mask = row_mask[:, None] & (cols < OUT)[None, :]
    tl.store(target, result.to(out.dtype.element_ty), mask)


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
):
    """One tile of `linear`, or of `product_add` where `bias` is None."""
    dtype = out.dtype.element_ty
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    row_mask = rows < num_rows
    sources = rows
    if indices is not None:
        sources = tl.load(indices + rows, row_mask, 0)
    source = a + sources[:, None] * WIDTH
    product = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, WIDTH, INNER):
        inner = start + tl.arange(0, INNER)
        value = _columns(source, row_mask, inner, WIDTH)
        product += _product(value, matrix, cols, inner, stride_in, stride_out, WIDTH, OUT)
    target = out + rows[:, None] * (STEP * OUT) + cols[None, :]
    mask = row_mask[:, None] & (cols < OUT)[None, :]
    if bias is None:
        added = tl.load(target, mask, 0.0).to(tl.float32)
        product = product.to(dtype).to(tl.float32)
    else:
        added = tl.load(bias + cols, cols < OUT, 0.0).to(tl.float32)[None, :]
    result = (product + added).to(dtype)
    if SILU:
        result = _silu(result)
    tl.store(target, result, mask)
