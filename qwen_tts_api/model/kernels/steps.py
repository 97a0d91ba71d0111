"""Steps of a product: what a program multiplies at a time, and how it sums.

Of a whole row a step is some elements after those of the step before. Of a row in PARTS, a step is
some elements of each part, multiplied by a warp each: tensors have a dimension more then, the
first. `Tile.parts` says why.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def step(start, WIDTH: tl.constexpr, INNER: tl.constexpr, PARTS: tl.constexpr):
    """Return INNER elements from `start` on, `[(PARTS,) INNER]`, and which of them there are."""
    inner = start + tl.arange(0, INNER)
    if PARTS == 1:
        return inner, inner < WIDTH
    else:
        PART: tl.constexpr = (WIDTH + PARTS - 1) // PARTS
        index = tl.arange(0, PARTS)[:, None] * PART + inner[None, :]
        return index, (inner < PART)[None, :] & (index < WIDTH)


@triton.jit
def load(source, row_mask, inner, is_inner):
    """Load elements `inner` of rows: `[(PARTS,) ROWS, INNER]`; `source` `[ROWS]` points to them."""
    inner, is_inner = tl.expand_dims(inner, -2), tl.expand_dims(is_inner, -2)
    return tl.load(source[:, None] + inner, row_mask[:, None] & is_inner, 0.0)


@triton.jit
def load_transposed(source, row_mask, inner, is_inner):
    """Load the same in another order, `[(PARTS,) INNER, ROWS]`."""
    inner, is_inner = tl.expand_dims(inner, -1), tl.expand_dims(is_inner, -1)
    return tl.load(source[None, :] + inner, row_mask[None, :] & is_inner, 0.0)


@triton.jit
def transpose(x):
    """Swap the last two dimensions."""
    if len(x.shape) == 2:
        return tl.trans(x)
    else:
        return tl.trans(x, (0, 2, 1))


@triton.jit
def zeros(ROWS: tl.constexpr, COLUMNS: tl.constexpr, PARTS: tl.constexpr):
    """Return `[(PARTS,) ROWS, COLUMNS]`."""
    if PARTS == 1:
        return tl.zeros([ROWS, COLUMNS], tl.float32)
    else:
        return tl.zeros([PARTS, ROWS, COLUMNS], tl.float32)


@triton.jit
def sum_parts(x):
    """Return `[ROWS, COLUMNS]`."""
    if len(x.shape) == 2:
        return x
    else:
        return tl.sum(x, 0)


@triton.jit
def add_product(total, a, matrix, col_mask, inner, is_inner):
    """Add the product of a step's elements of rows with those of a matrix's columns.

    Args:
        total: From `zeros`.
        a: `[(PARTS,) ROWS, INNER]`.
        matrix: `[COLUMNS]`, pointers to the columns.
        col_mask: Which of them there are.
        inner: From `step`, times the matrix's stride.
        is_inner: From `step`.
    """
    tile = transpose(load(matrix, col_mask, inner, is_inner))
    return tl.dot(a, tile, total, input_precision="ieee")


@triton.jit
def inverse_rms(
    source, row_mask, eps, WIDTH: tl.constexpr, ROWS: tl.constexpr, INNER: tl.constexpr
):
    """Return 1 / root mean square of rows, `[ROWS]`; `source` `[ROWS]` points to them.

    Unrolled, and summed over a row at the end: so that no load waits for the one before.
    """
    square = tl.zeros([ROWS, INNER], tl.float32)
    for start in tl.static_range(0, WIDTH, INNER):
        inner, is_inner = step(start, WIDTH, INNER, 1)
        value = load(source, row_mask, inner, is_inner).to(tl.float32)
        square = tl.fma(value, value, square)
    return tl.rsqrt(tl.sum(square, 1) / WIDTH + eps)
