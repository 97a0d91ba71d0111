"""A Triton kernel for the tests of what compiles them."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def double(x, size, BLOCK: tl.constexpr):
    """Double the first numbers of `x`."""
    index = tl.arange(0, BLOCK)
    tl.store(x + index, 2 * tl.load(x + index, index < size), index < size)
