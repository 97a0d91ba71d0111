"""Sine and cosine of moderate arguments, without the stack that CUDA's keep for huge ones."""

from __future__ import annotations

import triton
import triton.language as tl

_PER_TURN = tl.constexpr(0.6366197723675814)  # 2 / pi
# Parts of pi / 2, the first two with so few bits that a product with the number of quarter turns
# is exact: Cody and Waite, Software Manual for the Elementary Functions.
_HIGH = tl.constexpr(1.5703125)
_MIDDLE = tl.constexpr(4.837512969970703125e-4)
_LOW = tl.constexpr(7.54978995489188216e-8)
_BOUND = tl.constexpr(0.7853982)  # pi / 4


@triton.jit
def sine_cosine(x):
    """Return the sine and the cosine of float32.

    Both are right to 2e-7 where `x` is below 10,000, and never above 1: arguments are few in the
    codec that are above 100, where two neighbours in 16 bits are half a turn apart.
    """
    turns = tl.floor(x * _PER_TURN + 0.5)
    rest = x - turns * _HIGH - turns * _MIDDLE - turns * _LOW
    rest = tl.minimum(tl.maximum(rest, -_BOUND), _BOUND)
    square = rest * rest
    # Taylor's polynomials, their last coefficients fitted to [-pi / 4, pi / 4].
    sine = ((-1.9515295891e-4 * square + 8.3321608736e-3) * square - 1.6666654611e-1) * square
    sine = sine * rest + rest
    cosine = (2.443315711809948e-5 * square - 1.388731625493765e-3) * square + 4.166664568298827e-2
    cosine = cosine * square * square - 0.5 * square + 1.0
    phase = turns - 4 * tl.floor(turns * 0.25)
    is_odd = (phase == 1) | (phase == 3)
    one, other = tl.where(is_odd, cosine, sine), tl.where(is_odd, sine, cosine)
    return tl.where(phase < 2, one, -one), tl.where((phase == 1) | (phase == 2), -other, other)
