"""Codes to the sum of their vectors."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512
"""Columns that a program makes."""


def embed_codes(codes: Tensor, tables: Tensor, starts: Tensor, dtype: torch.dtype) -> Tensor:
    """Sum the vectors of each frame's codes in float32, and round: `[B, n, C]`.

    Reference: `functional.embedding(codes + starts, tables).sum(2).to(dtype)`. Reads G vectors of
    4-byte numbers a frame.

    Args:
        codes: `[B, n, G]` int64.
        tables: `[entries, C]` float32.
        starts: `[G]` int64: where each group's entries begin.
        dtype: Of the result.
    """
    rows, steps, groups = codes.shape
    width = tables.shape[1]
    out = torch.empty(rows, steps, width, dtype=dtype, device=tables.device)
    _embedding_kernel[(rows * steps, triton.cdiv(width, BLOCK))](
        codes.contiguous(), tables, starts, out, GROUPS=groups, WIDTH=width, BLOCK=BLOCK
    )
    return out


@triton.jit
def _embedding_kernel(
    codes,
    tables,
    starts,
    out,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK columns of one frame."""
    frame = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < WIDTH
    total = tl.zeros([BLOCK], tl.float32)
    for group in range(0, GROUPS):
        entry = tl.load(codes + frame * GROUPS + group) + tl.load(starts + group)
        total += tl.load(tables + entry * WIDTH + cols, mask, 0.0)
    tl.store(out + frame * WIDTH + cols, total.to(out.dtype.element_ty), mask)
