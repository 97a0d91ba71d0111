"""A Triton kernel for the tests of what compiles them; as a program, print what it takes."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from bench.launches import TritonCall
from tools.check_kernels import compile_calls


@triton.jit
def double(x, size, BLOCK: tl.constexpr):
    """Double the first numbers of `x`."""
    index = tl.arange(0, BLOCK)
    tl.store(x + index, 2 * tl.load(x + index, index < size), index < size)


if __name__ == "__main__":
    numbers = torch.empty(64, device="meta")
    calls = [TritonCall(double, (1,), (numbers, size), {"BLOCK": 64}) for size in (64, 48, 1)]
    for kernel in compile_calls(calls, 90):
        print(kernel)
